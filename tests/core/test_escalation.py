"""Pages that go along a chain until somebody takes them, routes by team, tier and hours, and early signs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.scene import PAGER, T0, Scene, ends, fires, outage, rulebook, says, silence
from quell.core.engine import Engine
from quell.expressions.matchers import parse_matchers
from quell.model.oncall import Chain, Override, Rota, Stage
from quell.model.rulebook import Route, Rulebook, Window
from quell.model.topology import Entity

TURNS = Rota(name="web", people=("ana", "bo"), first_day=719164, every_days=1)
CALL = {"who": "${oncall.phone}"}
STAGES = (
    Stage(action="phone.call", params=CALL, rota="web", to="rota/web", wait_s=600.0),
    Stage(action="phone.call", params=CALL, people=("cy", "dora"), to="role/lead", wait_s=1200.0),
    Stage(action="chat.say", to="chat.say", wait_s=300.0),
)
WEB = Chain(name="web", stages=STAGES, repeat=1, ack_lasts_s=7200.0)
TO_WEB = Route(name="web-pages", action="", chain="web")


def book(*routes: Route, chain: Chain = WEB, **given: Any) -> Rulebook:
    contacts = {name: {"phone": f"+{name}"} for name in ("ana", "bo", "cy", "dora")}
    return rulebook(routes=routes or (TO_WEB,), chains=(chain,), rotas=(TURNS,), contacts=contacts, **given)


def told(scene: Scene) -> list[tuple[float, str]]:
    """When whom, from the page on in minutes."""
    first = scene.pages[0].at
    return [((one.at - first) / 60, one.key.partition("/web/")[2]) for one in scene.calls]


def paged(*routes: Route, chain: Chain = WEB, **given: Any) -> Scene:
    scene = Scene(book(*routes, chain=chain, **given))
    scene.tell(*outage())
    scene.wait(120.0)
    return scene


ROUND = [
    (0, "1/ana"),
    (10, "2/cy"),
    (10, "2/dora"),
    (30, "3/all"),
    (35, "4/ana"),
    (45, "5/cy"),
    (45, "5/dora"),
    (65, "6/all"),
]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_page_that_nobody_takes_goes_along_its_chain_and_ends(restarts: bool) -> None:
    scene = paged()
    for minute in range(3, 24 * 6):
        scene.wait(minute * 60.0)
        if restarts:
            scene.restart()
    assert told(scene) == ROUND
    assert [one.params.get("who") for one in scene.calls[:3]] == ["+ana", "+cy", "+dora"]
    assert not scene.reminders
    assert len([one for one in scene.audits if "escalation over" in one]) == 1
    assert sum(entry.what == "passed on" for entry in scene.incident.timeline) == 5


def test_who_acknowledges_stops_it_and_it_goes_on_when_that_lapses() -> None:
    scene = paged()
    scene.tell(says("ack", scene.incident.id, 300.0), at=300.0)
    scene.wait(300.0 + 7199.0)
    assert len(told(scene)) == 1
    scene.wait(300.0 + 7200.0)
    assert [name for _, name in told(scene)] == ["1/ana", "2/cy", "2/dora"]
    assert scene.incident.status == "open"
    assert scene.incident.acknowledged_before == "ana"
    scene.tell(says("ack", scene.incident.id, 7600.0, by="cy"), at=7600.0)
    scene.wait(12_000.0)
    assert len(told(scene)) == 3


def test_what_is_over_calls_nobody_and_what_is_back_to_stay_begins_anew() -> None:
    scene = paged()
    scene.tell(*(ends(service, 200.0) for service in ("ledger", "payments", "checkout", "frontend")))
    scene.wait(500.0)
    assert scene.incident.status == "resolved"
    scene.wait(900.0)
    assert len(told(scene)) == 1
    scene.tell(fires("ledger", 950.0))
    scene.wait(1540.0)
    assert len(told(scene)) == 1
    scene.wait(1600.0)
    assert [name for _, name in told(scene)] == ["1/ana", "1/ana"], "as it came to stay, it is news"


def test_what_is_silenced_calls_nobody_meanwhile() -> None:
    scene = paged()
    scene.tell(silence("s", 130.0, 4000.0), at=130.0)
    scene.wait(3999.0)
    assert len(told(scene)) == 1
    scene.wait(4700.0)
    assert len(told(scene)) == 3


def test_a_snooze_ends_with_the_chain_from_its_beginning() -> None:
    scene = paged()
    scene.tell(says("snooze", scene.incident.id, 300.0, seconds=3600), at=300.0)
    scene.wait(4000.0)
    assert [name for _, name in told(scene)] == ["1/ana", "1/ana"]
    assert len({one.key for one in scene.calls}) == len(scene.calls)


def test_merged_incidents_go_along_a_chain_once() -> None:
    scene = paged()
    scene.tell(*(fires(name, 150.0) for name in ("disk", "warehouse", "reports", "dashboard")))
    scene.wait(300.0)
    one, other = scene.open
    scene.tell(says("merge", one.id, 310.0, incident=other.id), at=310.0)
    before = len(scene.calls)
    scene.wait(7000.0)
    steps = Counter(key.key for key in scene.calls)
    assert max(steps.values()) == 1
    (whole,) = scene.open
    assert whole.id == one.id
    assert len(scene.calls) - before == len(ROUND) - 1


def test_a_rise_begins_the_chain_anew() -> None:
    scene = Scene(book())
    scene.tell(
        *(
            fires(service, 12.0 * at, severity="warning")
            for at, service in enumerate(("ledger", "payments", "checkout"))
        )
    )
    scene.wait(300.0)
    scene.tell(says("ack", scene.incident.id, 310.0), at=310.0)
    scene.tell(fires("frontend", 400.0), at=400.0)
    scene.wait(500.0)
    assert len(scene.pages) == 2
    assert [name for _, name in told(scene)] == ["1/ana", "1/ana"]


def test_two_routes_along_one_chain_are_one_and_other_routes_are_told_beside_it() -> None:
    scene = paged(TO_WEB, Route(name="again", action="", chain="web"), PAGER)
    assert [one.key.split("/", 3)[3] for one in scene.calls] == ["web/1/ana", "on-call"]
    scene.wait(3 * 3600.0)
    assert len(scene.calls) == len(ROUND) + 1
    assert not scene.reminders


def test_a_step_for_a_role_of_nobody_is_passed_over_and_a_chain_of_nobody_tells_all_the_same() -> None:
    nobody = Stage(action="phone.call", to="role/none", wait_s=60.0)
    assert told(paged(chain=Chain(name="web", stages=(nobody, *STAGES)))) == [(0, "2/ana")]
    assert told(paged(chain=Chain(name="web", stages=(nobody,)))) == [(0, "1/all")]


def test_the_override_that_holds_when_a_step_is_due_counts() -> None:
    chain = Chain(name="web", stages=(STAGES[0], STAGES[0]))
    standing = msgspec.structs.replace(TURNS, overrides=(Override(from_=T0 + 500.0, to=T0 + 9000.0, who="dora"),))
    scene = Scene(msgspec.structs.replace(book(chain=chain), rotas=(standing,)))
    scene.tell(*outage())
    scene.wait(2000.0)
    assert [name for _, name in told(scene)] == ["1/ana", "2/dora"]


NIGHT = Window(name="night", matchers=(), minute=20 * 60, duration_s=12 * 3600.0)


@pytest.mark.parametrize(
    ("asks", "taken"),
    [
        ({"teams": ("money",)}, True),
        ({"teams": ("web",)}, False),
        ({"affects": ("web",)}, True),
        ({"affects": ("lab",)}, False),
        ({"tiers": (1,)}, True),
        ({"tiers": (2, 3)}, False),
        ({"severities": ("critical",)}, True),
        ({"severities": ("warning",)}, False),
        ({"hours": (NIGHT,)}, True),
        ({"hours": (NIGHT,), "outside": True}, False),
        ({"teams": ("money",), "matchers": parse_matchers("namespace=lab")}, False),
    ],
)
def test_routes_ask_for_team_tier_severity_and_hours(asks: dict[str, Any], taken: bool) -> None:
    entities = (
        *(one for one in rulebook().entities if one.entity not in {"service/ledger", "service/frontend"}),
        Entity(entity="service/ledger", labels={"namespace": "shop"}, owner="money", tier=2),
        Entity(entity="service/frontend", labels={"namespace": "shop"}, owner="web", tier=1),
    )
    scene = paged(Route(name="some", action="pager.call", **asks), entities=entities)  # T0 is 22:13 in UTC
    assert len(scene.pages) == 1
    assert bool(scene.calls) == taken


QUIET = Route(name="quiet", action="chat.say", early=True)


def _warned(*names: str, at: float = 0.0) -> list[Any]:
    return [fires(name, at + 12.0 * number, severity="warning") for number, name in enumerate(names)]


def test_early_signs_go_to_a_quiet_route_until_they_are_more() -> None:
    scene = Scene(book(PAGER, QUIET))
    scene.tell(*_warned("ledger", "payments", "checkout"))
    scene.wait(300.0)
    assert [one.action for one in scene.calls] == ["chat.say"]
    scene.wait(4 * 3600.0)
    assert [one.action for one in scene.calls] == ["chat.say"], "nobody is reminded of what is early"
    scene.restart()
    scene.tell(*_warned("frontend", at=4 * 3600.0 + 5.0))
    scene.wait(4 * 3600.0 + 300.0)
    assert [one.action for one in scene.calls] in (["chat.say", "pager.call"], ["chat.say"])


def test_what_pages_by_severity_is_not_early_and_without_a_quiet_route_nothing_is() -> None:
    assert [one.action for one in paged(PAGER, QUIET).calls] == ["pager.call"]
    scene = Scene(book(PAGER))
    scene.tell(*_warned("ledger", "payments", "checkout"))
    scene.wait(300.0)
    assert [one.action for one in scene.calls] == ["pager.call"]


def test_an_early_sign_left_to_the_digest_calls_nobody_until_it_is_grave() -> None:
    scene = Scene(book(PAGER, Route(name="quiet", action="", early=True)))
    scene.tell(*_warned("ledger", "payments", "checkout"))
    scene.wait(300.0)
    assert not scene.calls
    scene.tell(fires("ledger", 400.0, "Down"))
    scene.wait(1200.0)
    assert [one.action for one in scene.calls] == ["pager.call"]


def test_a_snapshot_of_before_goes_on() -> None:
    scene = Scene()
    scene.tell(*outage())
    scene.wait(120.0)
    raw = msgspec.msgpack.decode(scene.engine.snapshot(), strict=False)
    for name in ("climbs", "early"):
        raw.pop(name)
    scene.rulebook = book()
    scene.engine = Engine.restored(scene.rulebook, msgspec.msgpack.encode(raw))
    scene.wait(3 * 3600.0)
    assert len(scene.calls) >= 1 + 3, "the reminder goes along the chain"


SERVICES = ("ledger", "payments", "checkout", "frontend", "warehouse", "disk", "reports", "dashboard")
NEWS = st.tuples(
    st.integers(1, 4000), st.sampled_from(("fires", "fires", "fires", "ends", "ack", "resolve", "merge", "snooze")),
    st.sampled_from(SERVICES), st.sampled_from(("critical", "warning")),
)  # fmt: skip


def _played(news: list[tuple[int, str, str, str]], restarts: frozenset[int]) -> Scene:
    scene = Scene(book(TO_WEB, QUIET))
    at = 0
    for number, (gap, what, service, severity) in enumerate(news):
        at += gap
        scene.wait(float(at))
        if number in restarts:
            scene.restart()
        names = sorted(one.id for one in scene.open)
        if what == "fires":
            scene.tell(fires(service, float(at), severity=severity))
        elif what == "ends":
            scene.tell(ends(service, float(at), severity=severity))
        elif names and (what != "merge" or len(names) > 1):
            given: dict[str, dict[str, Any]] = {"merge": {"incident": names[-1]}, "snooze": {"seconds": 900}}
            more = given.get(what, {})
            scene.tell(says(what, names[0], float(at), **more), at=float(at))
    scene.wait(at + 20_000.0)
    return scene


@settings(max_examples=25)
@given(news=st.lists(NEWS, min_size=3, max_size=14), restarts=st.frozensets(st.integers(0, 13), max_size=5))
def test_every_page_is_told_once_a_step_wherever_it_restarts(
    news: list[tuple[int, str, str, str]], restarts: frozenset[int]
) -> None:
    scene = _played(news, frozenset())
    keys = Counter(one.key for one in scene.calls)
    assert not keys or max(keys.values()) == 1
    for page in scene.pages:
        assert any(one.at == page.at and one.incident == page.incident for one in scene.calls), page
    again = _played(news, restarts)
    assert again.engine.snapshot() == scene.engine.snapshot()
    assert [one.key for one in again.calls] == [one.key for one in scene.calls]


def test_what_is_let_go_elsewhere_goes_on_along_its_chain() -> None:
    scene = paged()
    name = scene.incident.id
    scene.tell(says("ack", name, 300.0), at=300.0)
    scene.wait(2000.0)
    assert len(told(scene)) == 1
    scene.tell(says("follow", name, 2000.0, status="open"), at=2000.0)
    assert scene.incident.status == "open"
    scene.wait(2601.0)
    assert [one for _, one in told(scene)] == ["1/ana", "2/cy", "2/dora"]
