import pytest

from config.written import loaded_from, problems_of
from quell.errors import Misconfigured
from quell.model.rulebook import EdgeKind
from quell.model.topology import Dependency, Entity

ALL = """\
map:
  - {name: topics, match: ['topic!=""'], entity: "queue/${labels.topic}", set: {team: data}}
mute:
  - {name: sandbox, match: ['env=~"dev|test"', 'severity!="critical"'], reason: nobody cares}
inhibit:
  - {name: critical first, source: ['severity="critical"'], target: [severity=warning], equal: [service]}
windows:
  - {name: sundays, match: ['team="db"'], days: [sunday, Mon], from: "22:00", for: 3h, zone: Europe/Berlin}
  - {name: once, match: ['rack="r12"'], starts: 2026-03-01T10:00:00+01:00, ends: 2026-03-01T16:00:00+01:00}
triage:
  flap_count: 5
  flap_gap: 10m
  page_severities: [critical]
  lone_page_after: 0s
  lone_page_most: 20m
  learn: false
  remind_after: 0s
  remind_times: 3
  slow_burn_after: 2h
  quiet_places: [lab]
  rules:
    - {name: batch, match: ['job_type="batch"'], verdict: hold, hold: 30m, reason: it may try again}
correlate:
  least_alerts: 2
  quiet: 20m
  edges: {replicates: {p: 0.6, lag: 30s}}
topology:
  entities:
    - {entity: service/checkout, labels: {namespace: shop}, owner: payments, tier: 1}
  dependencies:
    - {from: service/checkout, to: [service/payments, database/orders], type: calls}
    - {from: model/fraud, to: dataset/orders, weight: 0.5}
"""


def test_every_kind_of_rule_is_read():
    book = loaded_from({"rules/all.yaml": ALL}).rulebook
    assert (book.map[0].entity, book.map[0].set_labels) == ("queue/${labels.topic}", {"team": "data"})
    assert [str(matcher) for matcher in book.mute[0].matchers] == ['env=~"dev|test"', 'severity!="critical"']
    assert (book.mute[0].place.file, book.mute[0].place.line) == ("rules/all.yaml", 4)
    assert book.inhibit[0].equal == ("service",)
    weekly, once = book.windows
    assert (weekly.weekdays, weekly.minute, weekly.duration_s, weekly.zone) == (
        ("sunday", "monday"), 1320, 10800.0, "Europe/Berlin",
    )  # fmt: skip
    assert (once.starts_at, once.ends_at) == (1772355600.0, 1772377200.0)
    assert (book.triage.flap_count, book.triage.flap_gap_s, book.triage.lone_page_after_s) == (5, 600.0, 0.0)
    assert book.triage.flap_within_s == 3600.0
    assert (book.triage.lone_page_most_s, book.triage.remind_after_s, book.triage.slow_burn_after_s) == (
        1200.0,
        0,
        7200,
    )
    assert book.triage.remind_times == 3
    assert (book.triage.learn, book.triage.quiet_places) == (False, ("lab",))
    assert (book.triage.rules[0].verdict, book.triage.rules[0].hold_s) == ("hold", 1800.0)
    assert (book.correlate.least_alerts, book.correlate.edges) == (2, {"replicates": EdgeKind(p=0.6, lag_s=30.0)})
    assert book.entities[0] == Entity(
        entity="service/checkout", labels={"namespace": "shop"}, owner="payments", tier=1, sources=("rules/all.yaml",)
    )
    assert [entity.entity for entity in book.entities] == [
        "service/checkout", "service/payments", "database/orders", "model/fraud", "dataset/orders",
    ]  # fmt: skip
    assert book.dependencies[2] == Dependency(
        from_="model/fraud", to="dataset/orders", weight=0.5, sources=("rules/all.yaml",)
    )


def test_rules_may_be_split_over_files():
    parts = {f"rules/{number}/{key}.yaml": f"{key}:\n{rest}" for number, (key, rest) in enumerate(_sections())}
    whole, split = loaded_from({"rules/all.yaml": ALL}).rulebook, loaded_from(parts).rulebook
    assert [rule.name for rule in split.windows] == [rule.name for rule in whole.windows]
    assert split.triage.flap_count == whole.triage.flap_count
    assert {entity.entity for entity in split.entities} == {entity.entity for entity in whole.entities}


def _sections() -> list[tuple[str, str]]:
    sections: list[tuple[str, str]] = []
    for line in ALL.splitlines(keepends=True):
        if not line.startswith(" "):
            sections.append((line.strip().rstrip(":"), ""))
        else:
            key, rest = sections.pop()
            sections.append((key, rest + line))
    return sections


def _window(more):
    return f"windows: [{{name: a, match: [a=b], {more}}}]\n"


MISTAKES = [
    ("a rule that is text", "mute: [x]\n", '1:8: expected a mapping, found "x"'),
    ("a map rule that is text", "map: [x]\n", '1:7: expected a mapping, found "x"'),
    ("an empty name", "mute: [{name: '', match: [a=b], reason: r}]\n", "1:15: this may not be empty"),
    ("an empty entity", "map: [{name: '', match: [a=b], entity: a/b}]\n", "this may not be empty"),
    ("an unknown kind", "mutes: []\n", '1:1: unknown key "mutes"; did you mean "mute"?'),
    ("a list of rules", "- name: x\n", "1:1: expected a mapping, found a list"),
    ("rules as a mapping", "mute: {name: x}\n", "1:7: expected a list, found a mapping"),
    ("a bad matcher", "mute: [{name: a, match: [severity], reason: r}]\n", "1:34: expected one of = != =~ !~"),
    ("a bad regex", "mute: [{name: a, match: ['a=~\"(\"'], reason: r}]\n", '1:31: "(" is not a regular expression'),
    ("a matcher that is a mapping", "mute: [{name: a, match: [{a: b}], reason: r}]\n", "expected a matcher such as"),
    ("matchers as text", "mute: [{name: a, match: a=b, reason: r}]\n", 'expected a list, found "a=b"'),
    ("no reason", "mute: [{name: a, match: [a=b]}]\n", '1:8: this needs "reason"'),
    ("no matchers", "mute: [{name: a, reason: r}]\n", '1:8: this needs "match"'),
    ("no name", "inhibit: [{source: [a=b], target: [c=d]}]\n", '1:11: this needs "name"'),
    (
        "a name twice",
        "mute: [{name: a, match: [a=b], reason: r}, {name: a, match: [c=d], reason: r}]\n",
        'mute rule "a" stands here twice',
    ),
    ("a map rule for nothing", "map: [{match: [a=b]}]\n", 'a map rule needs "entity", "set" or both'),
    (
        "an unknown name",
        'map: [{entity: "queue/${label.topic}"}]\n',
        '1:25: unknown name "label"; did you mean "labels"?',
    ),
    ("a broken template", 'map: [{entity: "queue/${labels."}]\n', 'is not closed by "}"'),
    ("an unknown zone", _window("from: '22:00', for: 1h, zone: Mars/X"), '"Mars/X" is not a time zone'),
    ("a zone that is a path", _window("from: '22:00', for: 1h, zone: ../../etc/passwd"), "is not a time zone"),
    ("an unknown day", _window("from: '22:00', for: 1h, days: [someday]"), '"someday" is not a day of the week'),
    ("a bad time of day", _window("from: '25:00', for: 1h"), '"25:00" is not a time of day'),
    ("no unit", _window("from: '22:00', for: 90"), '"90" has no unit; write a duration'),
    ("neither once nor again", "windows: [{name: a, match: [a=b]}]\n", "1:11: a window has either starts and ends, or"),
    ("both once and again", _window("days: [sunday], starts: 2026-01-01T00:00:00Z"), "has either starts and ends"),
    ("no end", _window("starts: 2026-01-01T00:00:00Z"), "needs both starts and ends"),
    ("days alone", _window("days: [sunday]"), "needs both from and for"),
    (
        "an end before the start",
        _window("starts: 2026-01-02T00:00:00Z, ends: 2026-01-01T00:00:00Z"),
        "ends before it starts",
    ),
    ("a time without zone", _window("starts: 2026-01-02T00:00:00, ends: 2026-01-03T00:00:00Z"), "has no time zone"),
    ("a time that is none", _window("starts: soon, ends: 2026-01-03T00:00:00Z"), '"soon" is not a time'),
    ("the year 1", _window("starts: 0001-01-01T00:00:00Z, ends: 2026-01-03T00:00:00Z"), "is not a time"),
    ("an endless recurring window", _window("from: '22:00', for: 8d"), "lasts a week at most"),
    (
        "hold for no time",
        "triage: {rules: [{name: a, match: [a=b], verdict: hold}]}\n",
        "write how long, such as hold: 10m",
    ),
    ("an unknown verdict", "triage: {rules: [{name: a, match: [a=b], verdict: pag}]}\n", 'did you mean "page"?'),
    ("a setting that is text", "triage: {flap_count: many}\n", '1:22: expected a whole number, found "many"'),
    ("an unknown setting", "correlate: {least_alert: 3}\n", 'did you mean "least_alerts"?'),
    ("a probability above one", "correlate: {edges: {x: {p: 7, lag: 1s}}}\n", '"7" is not a probability'),
    ("a probability that is no number", "correlate: {edges: {x: {p: .nan, lag: 1s}}}\n", "finite number"),
    (
        "an entity without kind",
        "topology: {entities: [{entity: checkout}]}\n",
        '"checkout" is not an entity; write kind/name',
    ),
    ("an entity twice", "topology: {entities: [{entity: a/b}, {entity: a/b}]}\n", 'entity "a/b" stands here twice'),
    (
        "a number as label",
        "topology: {entities: [{entity: a/b, labels: {version: 1.10}}]}\n",
        'expected text, found 1.10; write "1.10" in quotes',
    ),
    ("no as label", "topology: {entities: [{entity: a/b, labels: {x: true}}]}\n", 'write "true" in quotes'),
    ("a dependency on nothing", "topology: {dependencies: [{from: a/b}]}\n", 'this needs "to"'),
    ("a dependency on a bare name", "topology: {dependencies: [{from: a/b, to: [c/d, e]}]}\n", '"e" is not an entity'),
]


@pytest.mark.parametrize(("text", "said"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES])
def test_each_mistake_is_told(text, said):
    found = problems_of({"rules/r.yaml": text})
    assert any(said in problem and problem.startswith("rules/r.yaml:1:") for problem in found), found


def test_names_and_settings_stand_once_over_all_files():
    found = problems_of(
        {
            "rules/a.yaml": "mute: [{name: x, match: [a=b], reason: r}]\ntriage: {flap_count: 3}\n",
            "rules/b.yaml": "mute: [{name: x, match: [a=b], reason: r}]\ntriage: {flap_count: 4}\n",
        }
    )
    assert found == [
        'rules/b.yaml:1:15: mute rule "x" stands here twice (first in rules/a.yaml:1); take one out',
        'rules/b.yaml:2:10: triage setting "flap_count" stands here twice (first in rules/a.yaml:2); take one out',
    ]


EVERYTHING = [
    ("mute: [{name: all, match: [], reason: r}]\n", 'mute rule "all" has no matcher'),
    ("mute: [{name: all, match: ['a=~\".*\"', 'b!=\"c\"'], reason: r}]\n", 'mute rule "all" has no matcher'),
    ("inhibit: [{name: i, source: [a=b], target: []}]\n", 'the target of inhibit rule "i"'),
    ("inhibit: [{name: i, source: ['{}'], target: [a=b]}]\n", 'the source of inhibit rule "i"'),
    ("windows: [{name: w, match: [], from: '22:00', for: 1h}]\n", 'window "w" has no matcher'),
]


@pytest.mark.parametrize(("text", "said"), EVERYTHING, ids=[said for _, said in EVERYTHING])
def test_a_rule_that_matches_everything_is_worth_a_warning(text, said):
    warnings = loaded_from({"rules/r.yaml": text}).warnings
    assert [said in str(warning) for warning in warnings] == [True]
    meant = text.replace("name:", "everything: true, name:")
    assert not loaded_from({"rules/r.yaml": meant}).warnings


def test_a_circle_is_fine_and_a_dependency_on_itself_is_left_out():
    text = "topology: {dependencies: [{from: a/x, to: b/y}, {from: b/y, to: a/x}, {from: a/x, to: [a/x, b/y]}]}\n"
    loaded = loaded_from({"rules/r.yaml": text})
    assert [(edge.from_, edge.to) for edge in loaded.rulebook.dependencies] == [("a/x", "b/y"), ("b/y", "a/x")]
    said = " ".join(str(warning) for warning in loaded.warnings)
    assert '"a/x" depends on itself' in said
    assert "is described twice" in said


def test_the_version_follows_the_files():
    one = loaded_from({"rules/r.yaml": ALL}).rulebook.version
    assert one == loaded_from({"rules/r.yaml": ALL}).rulebook.version
    assert one != loaded_from({"rules/r.yaml": ALL + "\n"}).rulebook.version
    assert one != loaded_from({"rules/s.yaml": ALL}).rulebook.version


def test_nothing_is_loaded_when_anything_is_wrong():
    with pytest.raises(Misconfigured) as caught:
        loaded_from({"rules/a.yaml": "mutes: []\n", "rules/b.yaml": "mutes: []\n", "playbooks/c.yaml": "x: 1\n"})
    assert caught.value.summary == "5 problems in 3 files"
    assert [problem.file for problem in caught.value.problems] == sorted(p.file for p in caught.value.problems)
