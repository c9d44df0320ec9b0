"""Where an incident is shown: what users feel in the rooms for that, early signs in quiet ones or only in lists."""

from __future__ import annotations

from typing import Any

import pytest

from core.scene import Scene, fires, outage, rulebook
from quell.config.settings import Chat
from quell.daemon.chat.board import Board
from quell.daemon.chat.outbox import Outbox
from quell.daemon.chat.rooms import Rooms
from quell.expressions.matchers import parse_matchers
from quell.model.rulebook import Room, Triage, Window
from quell.model.topology import Entity
from quell.sdk.chat import Pace

OWNERS = (
    Entity(entity="service/ledger", labels={"namespace": "shop"}, owner="money", tier=2),
    Entity(entity="service/frontend", labels={"namespace": "shop"}, owner="web", tier=1),
)
LOUD = Room(source="slack", channel="#incidents")
QUIET = Room(source="slack", channel="#early", early=True)
LISTED = Room(source="", channel="", early=True)


def scene(*records: Any) -> Scene:
    book = rulebook()
    others = [one for one in book.entities if one.entity not in {"service/ledger", "service/frontend"}]
    made = Scene(rulebook(entities=(*others, *OWNERS)))
    made.tell(*(records or outage()))
    made.wait(120.0)
    return made


def early() -> Scene:
    names = ("ledger", "payments", "checkout")
    return scene(*(fires(one, 12.0 * n, severity="warning") for n, one in enumerate(names)))


def channels(made: Scene, *rooms: Room) -> list[str]:
    return [room.channel for room in Rooms(rooms).of(made.engine.state, made.incident, Triage())]


def test_early_signs_go_to_quiet_rooms_and_what_users_feel_to_the_others() -> None:
    assert channels(early(), LOUD, QUIET) == ["#early"]
    assert channels(scene(), LOUD, QUIET) == ["#incidents"]
    assert channels(early(), LOUD) == ["#incidents"], "where no quiet room takes them all are shown alike"
    assert channels(scene(), QUIET) == ["#early"], "what users feel is shown somewhere"
    assert channels(early(), LOUD, LISTED) == []
    assert channels(scene(), LOUD, LISTED) == ["#incidents"]
    assert channels(early(), LOUD, Room(source="slack", channel="#ml", early=True, teams=("ml",))) == ["#incidents"]


@pytest.mark.parametrize(
    ("asks", "taken"),
    [
        ({"teams": ("money",)}, True),
        ({"teams": ("web",)}, False),
        ({"affects": ("web",)}, True),
        ({"affects": ("ml",)}, False),
        ({"tiers": (1,)}, True),
        ({"tiers": (2,)}, False),
        ({"severities": ("critical",)}, True),
        ({"severities": ("warning",)}, False),
        ({"matchers": parse_matchers('team="money"')}, True),
        ({"matchers": parse_matchers('team="web"')}, False),
    ],
)
def test_rooms_ask_what_routes_ask(asks: dict[str, Any], taken: bool) -> None:
    assert bool(channels(scene(), Room(source="slack", channel="#a", **asks))) == taken


def test_hours_are_those_of_the_opening() -> None:
    """T0 is 22:13 in UTC: the message does not move when the night begins or ends."""
    night = Window(name="night", matchers=(), minute=22 * 60, duration_s=3600.0)
    rooms = [
        Room(source="slack", channel="#night", hours=(night,)),
        Room(source="slack", channel="#day", hours=(night,), outside=True),
    ]
    made = scene()
    assert channels(made, *rooms) == ["#night"]
    made.wait(7200.0)
    assert channels(made, *rooms) == ["#night"]


def test_an_early_sign_that_grows_is_shown_in_the_incident_room_as_well() -> None:
    made = early()
    board = Board(
        lambda: made.engine.state, Chat(rooms=(LOUD, QUIET)), now=lambda: 0.0, steady=lambda: 0.0, triage=Triage
    )
    board.outboxes["slack"] = Outbox(Pace(), lambda _item: True)
    board.incident(made.incident)
    assert {row.channel for row in board.rows.values()} == {"#early"}
    made.tell(fires("ledger", 400.0, "Down"))
    made.wait(1200.0)
    board.incident(made.incident)
    assert {row.channel for row in board.rows.values()} == {"#early", "#incidents"}
