"""people.yaml and the rooms in which incidents are shown."""

from __future__ import annotations

import pytest

from config.written import loaded_from, problems_of

PEOPLE = """\
people:
  - id: ana
    name: Ana Ruiz
    email: Ana@example.com
    scopes: [read, act, approve]
    roles: [sre, "team:payments"]
    slack: U012AB
    ids: {teams: "29:xyz"}
  - {id: bo, pagerduty: P1}
"""
CHAT = """\
sources: {slack: {use: inbox}}
chat:
  rooms:
    - {to: slack, channel: "#incidents", match: ['severity=~"critical|high"', team=web]}
    - {to: slack, channel: "#early"}
  digest_above: 5
  link: https://quell.example.com/
"""


def test_people_and_rooms_are_read() -> None:
    settings = loaded_from({"quell.yaml": CHAT, "people.yaml": PEOPLE}).settings
    ana, bo = settings.people
    assert (ana.id, ana.scopes) == ("ana", {"read", "act", "approve"})
    assert ana.roles == {"role:sre", "team:payments"}
    assert ana.ids == {"slack": "U012AB", "email": "ana@example.com", "teams": "29:xyz"}
    assert (bo.scopes, bo.ids) == ({"read"}, {"pagerduty": "P1"})
    first, second = settings.chat.rooms
    assert [str(one) for one in first.matchers] == ['severity=~"critical|high"', 'team="web"']
    assert (second.source, second.channel, second.matchers) == ("slack", "#early", ())
    assert (settings.chat.digest_above, settings.chat.link) == (5, "https://quell.example.com")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("people: [{id: ana}, {id: ana}]", 'the person "ana" stands here twice'),
        ("people: [{id: ana, slack: U1}, {id: bo, slack: U1}]", '"U1" is ana in slack already'),
        ("people: [{id: ana, slack: U1}, {id: bo, ids: {slack: U1}}]", '"U1" is ana in slack already'),
        ("people: [{id: 'a b'}]", "people.yaml:1:"),
        ("people: [{id: ana, scopes: [fly]}]", "people.yaml:1:"),
        ("people: [{id: ana, roles: ['boss:x']}]", '"boss:x" is not a role'),
    ],
)
def test_what_is_wrong_with_people(text: str, said: str) -> None:
    found = problems_of({"people.yaml": text})
    assert any(said in problem for problem in found), found


def test_a_room_needs_a_source() -> None:
    (found,) = problems_of({"quell.yaml": CHAT.replace('to: slack, channel: "#early"', "to: slak, channel: x")})
    assert 'no source has the id "slak"; did you mean "slack"?' in found


def test_a_named_file_of_people_must_be_there() -> None:
    (found,) = problems_of({"quell.yaml": "people: staff.yaml\n"})
    assert found.startswith("staff.yaml: the file cannot be read")


RULES = """\
rooms:
  - {to: slack, channel: "#payments", team: [payments], tier: [1], severity: [Critical]}
  - {to: slack, channel: "#night", hours: [{from: "20:00", for: 10h}], outside_hours: true, affects: [web]}
  - {to: slack, channel: "#quiet", early: true, match: ['team="ml"']}
  - {to: digest, early: true}
"""


def test_rooms_stand_in_rules_too_and_ask_what_routes_ask() -> None:
    rooms = loaded_from({"quell.yaml": CHAT, "rules/rooms.yaml": RULES}).settings.chat.rooms
    assert [room.channel for room in rooms] == ["#incidents", "#early", "#payments", "#night", "#quiet", ""]
    asked, night, quiet, listed = rooms[2:]
    assert (asked.teams, asked.tiers, asked.severities, asked.early) == (("payments",), (1,), ("critical",), False)
    assert (night.hours[0].minute, night.outside, night.affects) == (1200, True, ("web",))
    assert (quiet.early, str(quiet.matchers[0])) == (True, 'team="ml"')
    assert (listed.source, listed.early) == ("", True)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (
            "rooms: [{to: slak, channel: x}]",
            'rules/rooms.yaml:1:14: no source has the id "slak"; did you mean "slack"?',
        ),
        ("rooms: [{to: digest}]", '"to: digest" is for early signs only'),
        ("rooms: [{to: digest, early: true, channel: x}]", '"to: digest" is for early signs only'),
        ("rooms: [{to: slack}]", "a room needs a channel"),
        ("rooms: [{to: slack, channel: x, outside_hours: true}]", '"outside_hours" needs hours'),
    ],
)
def test_what_is_wrong_with_rooms_in_rules(rules: str, said: str) -> None:
    found = problems_of({"quell.yaml": CHAT, "rules/rooms.yaml": rules})
    assert any(said in problem for problem in found), found
