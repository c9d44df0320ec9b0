"""Routes, escalations and rotas in rules files."""

from __future__ import annotations

import pytest

from config.written import loaded_from, problems_of

PEOPLE = """\
people:
  - {id: ana, name: Ana Ruiz, email: ana@example.com, slack: U1, roles: [lead]}
  - {id: bo, ids: {console: "7"}}
"""
RULES = """\
rotas:
  - name: web
    zone: Europe/Berlin
    people: [ana, bo, dora]
    contacts: {dora: {phone: "+49 30 1"}}
    handover: {day: monday, at: "09:00", every: 1w, from: 2026-03-02}
    overrides:
      - {from: "2026-03-04T00:00:00Z", to: "2026-03-05T00:00:00Z", who: bo}
escalations:
  - name: web
    by: console.page
    with: {text: "${oncall.name}: ${text}"}
    repeat: 2
    ack_lasts: 1h
    steps:
      - {to: rota/web, wait: 5m}
      - {to: role/lead}
      - {to: person/bo, by: ticket.open, with: {key: "${incident.id}"}}
      - {to: ticket.close}
routes:
  - {name: by-chain, escalation: web, team: [web], tier: [0, 1], severity: [Critical]}
  - name: night
    to: console.page
    hours: [{days: [mon, tue], from: "20:00", for: 12h, zone: Europe/Berlin}]
  - {name: quiet, to: digest, early: true}
  - {name: rest, to: console.page}
"""


def _problems(rules: str, **files: str) -> list[str]:
    return problems_of({"rules/oncall.yaml": rules, "people.yaml": PEOPLE, **files})


def test_all_of_it_is_read() -> None:
    loaded = loaded_from({"rules/oncall.yaml": RULES, "people.yaml": PEOPLE})
    book = loaded.rulebook
    assert [route.name for route in book.routes] == ["console.page", "by-chain", "night", "quiet", "rest"]
    chained, night, quiet, _ = book.routes[1:]
    assert (chained.chain, chained.teams, chained.tiers, chained.severities) == ("web", ("web",), (0, 1), ("critical",))
    assert (night.hours[0].zone, night.hours[0].minute, night.hours[0].duration_s) == ("Europe/Berlin", 1200, 43_200.0)
    assert (quiet.action, quiet.early) == ("", True)
    (chain,) = book.chains
    assert (chain.repeat, chain.ack_lasts_s) == (2, 3600.0)
    assert [(one.action, one.rota, one.people, one.wait_s) for one in chain.stages] == [
        ("console.page", "web", (), 300.0),
        ("console.page", "", ("ana",), 600.0),
        ("ticket.open", "", ("bo",), 600.0),
        ("ticket.close", "", (), 600.0),
    ]
    assert chain.stages[2].params == {"key": "${incident.id}"}
    (rota,) = book.rotas
    assert (rota.people, rota.minute, rota.every_days) == (("ana", "bo", "dora"), 540, 7)
    assert book.contacts["ana"] == {"id": "ana", "name": "Ana Ruiz", "email": "ana@example.com", "slack": "U1"}
    assert book.contacts["dora"] == {"phone": "+49 30 1"}
    assert not loaded.warnings


def test_another_way_to_reach_somebody_is_another_version() -> None:
    files = {"rules/oncall.yaml": RULES}
    first = loaded_from({**files, "people.yaml": PEOPLE}).rulebook.version
    assert loaded_from({**files, "people.yaml": PEOPLE}).rulebook.version == first
    assert loaded_from({**files, "people.yaml": PEOPLE.replace("U1", "U2")}).rulebook.version != first


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rota/web", "rota/wep", ':16:14: no rota has the name "wep"'),
        ("escalation: web", "escalation: wbe", ':21:34: no escalation has the name "wbe"'),
        ("by: console.page", "by: console.pag", ':11:9: unknown action "console.pag"'),
        ("to: ticket.close", "to: ticket.shut", ':19:14: unknown action "ticket.shut"'),
        ("person/bo", "person/bob", ':18:14: people.yaml has nobody of the id "bob"'),
        ("[ana, bo, dora]", "[ana, zed, dora]", ':4:19: people.yaml has nobody of the id "zed"'),
        ("who: bo", "who: zed", ':8:73: people.yaml has nobody of the id "zed"'),
        ("to: role/lead", "to: team/lead", ':17:14: "team/lead" is nobody to tell'),
        ("    by: console.page\n", "", 'nothing says how "rota/web" is told'),
        ("from: 2026-03-02", "from: 2026-03-03", "is no monday"),
        ("every: 1w", "every: 36h", "a turn lasts whole days"),
        ("every: 1w", "every: 3d", '"day" goes with turns of whole weeks'),
        ("early: true", "early: false", '"to: digest" is for early signs only'),
        ("{name: rest,", "{name: night,", 'routes rule "night" stands here twice'),
        ("name: night", "name: console.page", "is the name of a page in quell.yaml already"),
        ('from: "20:00", for: 12h', 'from: "20:00"', "a recurring time of a route needs both from and for"),
        ("{name: rest, to: console.page}", "{name: rest}", 'a route has either "to" or "escalation"'),
        ("[ana, bo, dora]", "[]", "at least 1 is needed here"),
        ("${oncall.name}:", "${nobody.name}:", "nobody"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(old: str, new: str, said: str) -> None:
    assert old in RULES
    found = _problems(RULES.replace(old, new, 1))
    assert any(said in one for one in found), found


def test_an_empty_chain_and_a_chain_of_nobody_are_wrong() -> None:
    empty = "escalations: [{name: web, by: console.page, steps: []}]"
    assert "at least 1 is needed here" in _problems(empty)[0]
    nobody = "escalations: [{name: web, by: console.page, steps: [{to: role/ghost}]}]"
    assert "reaches nobody" in _problems(nobody)[0]


def test_what_is_suspicious_is_warned_of() -> None:
    rules = RULES.replace("  - {name: rest, to: console.page}\n", "").replace("escalation: web", "to: console.page")
    main = "sources: {console: {use: console}, ticket: {use: ticket, url: 'https://tickets.example'}}"
    loaded = loaded_from({"rules/oncall.yaml": rules, "people.yaml": PEOPLE, "quell.yaml": main})
    said = [warning.message for warning in loaded.warnings]
    assert said == ['no route leads to escalation "web"', "a page that matches none of the routes reaches nobody"]


def test_names_need_no_people_file() -> None:
    book = loaded_from({"rules/oncall.yaml": RULES.replace("      - {to: role/lead}\n", "")}).rulebook
    assert set(book.contacts) == {"dora"}
