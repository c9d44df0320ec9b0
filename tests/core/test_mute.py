"""What mutes an alert and why; inhibition as Alertmanager judges it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quell.core.mute import Muter
from quell.expressions.matchers import Matching, parse_matchers
from quell.model.alert import Alert, AlertStatus, Muting, fingerprint
from quell.model.mute import Silence
from quell.model.rulebook import InhibitRule, MuteRule, Rulebook, Window


def alert(labels: dict[str, str], status: AlertStatus = "firing", **more) -> Alert:
    return Alert(
        fingerprint=more.pop("fingerprint", fingerprint(labels)),
        source="test",
        labels=labels,
        status=status,
        starts_at=0,
        updated_at=0,
        onset_seen=0,
        **more,
    )


def stopped(known: Alert) -> Alert:
    return msgspec.structs.replace(known, status="resolved", ends_at=10.0)


def silence(name: str, matchers: str, start: float = 0, end: float = 100, **more) -> Silence:
    return Silence(id=name, matchers=parse_matchers(matchers), starts_at=start, ends_at=end, updated_at=start, **more)


def inhibit(source: str, target: str, *equal: str, name: str = "r") -> InhibitRule:
    return InhibitRule(name=name, source=parse_matchers(source), target=parse_matchers(target), equal=equal)


NODE_DOWN = {"alertname": "NodeDown", "severity": "critical", "node": "n1"}
SLOW = {"alertname": "Slow", "severity": "warning", "node": "n1"}
RULE = inhibit("severity=critical", "severity=warning", "node")


def test_nothing_mutes_by_default():
    muter = Muter(Rulebook())
    assert muter.note(alert(SLOW)) == set()
    assert muter.mutings(alert(SLOW).labels, 0, {}) == ()
    assert muter.next_change(0, {}) is None


def test_silences_from_their_start_until_their_end():
    silences = {"s": silence("s", "alertname=Slow", 10, 20, created_by="ann", comment="deploying")}
    muter = Muter(Rulebook())
    said = (Muting(kind="silence", by="s", reason="ann: deploying"),)
    assert [muter.mutings(alert(SLOW).labels, now, silences) for now in (9, 10, 19, 20)] == [(), said, said, ()]
    assert muter.mutings(alert(NODE_DOWN).labels, 10, silences) == ()
    assert [muter.next_change(now, silences) for now in (0, 10, 20)] == [10, 20, None]


def test_a_silence_without_author_or_comment_says_so():
    muter = Muter(Rulebook())
    assert muter.mutings(alert(SLOW).labels, 0, {"s": silence("s", "node=n1")})[0].reason == "no comment"


def test_a_changed_silence_is_matched_anew():
    muter = Muter(Rulebook())
    assert muter.mutings(alert(SLOW).labels, 0, {"s": silence("s", "node=n1")})
    assert not muter.mutings(alert(SLOW).labels, 0, {"s": silence("s", "node=n2")})
    assert not muter.mutings(alert(SLOW).labels, 150, {"s": silence("s", "node=n1")})
    assert muter.next_change(150, {}) is None, "and forgets it"
    assert muter.mutings(alert(SLOW).labels, 150, {"s": silence("s", "node=n1", end=200)})


def test_windows_and_rules_mute_with_their_reasons():
    everything = parse_matchers("alertname=~.*")
    book = Rulebook(
        windows=(
            Window(name="move", matchers=everything, starts_at=10, ends_at=20, reason="moving racks"),
            Window(name="night", matchers=parse_matchers("node=n2"), minute=0, duration_s=60, reason="backup"),
        ),
        mute=(MuteRule(name="test-systems", matchers=parse_matchers("node=n1"), reason="nobody cares"),),
    )
    muter = Muter(book)
    ruled = Muting(kind="rule", by="test-systems", reason="nobody cares")
    windowed = Muting(kind="window", by="move", reason="moving racks")
    assert [muter.mutings(alert(SLOW).labels, now, {}) for now in (9, 10, 20, 15)] == [
        (ruled,),
        (windowed, ruled),
        (ruled,),
        (windowed, ruled),
    ], "also when asked about the past"
    assert muter.mutings(alert(SLOW | {"node": "n2"}).labels, 86_400 + 30, {}) == (
        Muting(kind="window", by="night", reason="backup"),
    )
    assert [muter.next_change(now, {}) for now in (0, 10, 20, 60)] == [10, 20, 60, 86_400]


def test_all_that_mutes_is_told_in_one_order():
    matchers = parse_matchers("node=n1")
    book = Rulebook(
        windows=tuple(Window(name=name, matchers=matchers) for name in ("b", "a")),
        mute=tuple(MuteRule(name=name, matchers=matchers, reason="") for name in ("d", "c")),
        inhibit=(inhibit("severity=critical", "severity=warning", name="f"), RULE),
    )
    muter = Muter(book)
    muter.note(alert(NODE_DOWN))
    silences = {name: silence(name, "node=n1") for name in ("z", "y")}
    told = [(muting.kind, muting.by) for muting in muter.mutings(alert(SLOW).labels, 5, silences)]
    by = fingerprint(NODE_DOWN)
    assert told == [
        ("silence", "y"),
        ("silence", "z"),
        ("window", "a"),
        ("window", "b"),
        ("inhibition", by),
        ("inhibition", by),
        ("rule", "c"),
        ("rule", "d"),
    ]


def test_inhibited_while_the_source_fires():
    muter = Muter(Rulebook(inhibit=(RULE,)))
    source, target = alert(NODE_DOWN), alert(SLOW)
    assert muter.note(target) == set()
    assert muter.inhibited(target.labels) == ()
    assert muter.affected_by(source) == {target.fingerprint}
    assert muter.note(source) == {target.fingerprint}
    assert muter.note(source) == set()
    assert muter.inhibited(target.labels) == (
        Muting(kind="inhibition", by=source.fingerprint, reason='while NodeDown fires (rule "r")'),
    )
    assert muter.inhibited(alert(SLOW | {"node": "n2"}).labels) == ()
    assert muter.inhibited(source.labels) == ()
    assert muter.note(stopped(source)) == {target.fingerprint}
    assert muter.note(stopped(source)) == set()
    assert muter.inhibited(target.labels) == ()
    assert muter.affected_by(target) == set()


def test_a_second_source_takes_over():
    muter = Muter(Rulebook(inhibit=(RULE,)))
    first, second = alert(NODE_DOWN, fingerprint="1"), alert(NODE_DOWN, fingerprint="2")
    target = alert(SLOW)
    for known in (second, target):
        muter.note(known)
    assert muter.note(first) == {target.fingerprint}, "the smaller fingerprint is named"
    assert muter.note(stopped(first)) == {target.fingerprint}
    assert [muting.by for muting in muter.inhibited(target.labels)] == ["2"]
    third = alert(NODE_DOWN, fingerprint="3")
    assert muter.note(third) == set()
    assert muter.note(stopped(third)) == set()


def test_a_missing_equal_label_is_the_empty_text():
    muter = Muter(Rulebook(inhibit=(RULE,)))
    muter.note(alert({"severity": "critical"}))
    assert muter.inhibited(alert({"severity": "warning"}).labels)
    assert muter.inhibited(alert({"severity": "warning", "node": ""}).labels)
    assert not muter.inhibited(alert(SLOW).labels)


def test_a_nameless_source_is_named_by_its_fingerprint():
    muter = Muter(Rulebook(inhibit=(inhibit("severity=critical", "severity=warning"),)))
    muter.note(alert({"severity": "critical"}, fingerprint="abc"))
    assert muter.inhibited(alert(SLOW).labels)[0].reason == 'while abc fires (rule "r")'


def test_source_and_target_at_once():
    muter = Muter(Rulebook(inhibit=(inhibit("node=n1", "severity=~warning|critical"),)))
    one, other = alert(NODE_DOWN), alert(SLOW)
    elsewhere = alert(SLOW | {"node": "n2"})
    only_source = alert({"node": "n1", "severity": "info"})
    muter.note(one)
    assert muter.inhibited(one.labels) == (), "not by itself"
    assert muter.note(other) <= {one.fingerprint}
    assert muter.inhibited(other.labels) == (), "not by one that is both"
    muter.note(elsewhere)
    assert muter.inhibited(elsewhere.labels), "one that is both inhibits a mere target"
    assert muter.note(only_source) >= {one.fingerprint, other.fingerprint}
    assert muter.inhibited(one.labels)
    assert muter.inhibited(other.labels)
    assert muter.affected_by(one) == {other.fingerprint, elsewhere.fingerprint}


def test_a_muted_source_still_inhibits():
    muter = Muter(Rulebook(inhibit=(RULE,)))
    muted = alert(NODE_DOWN, mutings=(Muting(kind="silence", by="s"),), handling="muted")
    muter.note(muted)
    assert muter.inhibited(alert(SLOW).labels)


def test_changed_labels_move_an_alert():
    muter = Muter(Rulebook(inhibit=(RULE,)))
    muter.note(alert(NODE_DOWN, fingerprint="k"))
    target = alert(SLOW)
    muter.note(target)
    assert muter.note(alert(NODE_DOWN | {"node": "n2"}, fingerprint="k")) == {target.fingerprint}
    assert muter.inhibited(target.labels) == ()
    assert muter.inhibited(alert(SLOW | {"node": "n2"}).labels)


LABELS = st.fixed_dictionaries(
    {},
    optional={
        "severity": st.sampled_from(["critical", "warning", "info"]),
        "node": st.sampled_from(["n1", "n2", ""]),
        "zone": st.sampled_from(["a", "b"]),
    },
)
RULES = st.builds(
    lambda source, target, equal: inhibit(source, target, *equal),
    st.sampled_from(["severity=critical", "severity=~critical|warning", "zone=a", "node!=n2"]),
    st.sampled_from(["severity=warning", "severity!=critical", "zone=~.*"]),
    st.sets(st.sampled_from(["node", "zone"])).map(sorted),
)


def by_the_book(rule: InhibitRule, target: Alert, alerts: list[Alert]) -> bool:
    """Alertmanager's rule, asked of every alert."""
    is_source, is_target = Matching(rule.source), Matching(rule.target)
    if not is_target.matches(target.labels):
        return False
    return any(
        source.firing
        and is_source.matches(source.labels)
        and all(source.labels.get(name, "") == target.labels.get(name, "") for name in rule.equal)
        and not (is_source.matches(target.labels) and is_target.matches(source.labels))
        for source in alerts
    )


SEVERAL_RULES = st.lists(RULES, min_size=1, max_size=3)
CHANGES = st.lists(st.tuples(st.integers(0, 7), LABELS, st.booleans()), min_size=1, max_size=30)


@settings(max_examples=200, deadline=None)
@given(SEVERAL_RULES, CHANGES)
def test_inhibition_is_alertmanagers_and_every_change_is_announced(rules, changes):
    told_and_judged(rules, changes)


@settings(max_examples=100, deadline=None)
@given(SEVERAL_RULES, CHANGES)
def test_values_with_the_same_hash_are_told_apart(rules, changes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("quell.core.inhibition.hash", len, raising=False)
        patch.setattr("quell.core.mute.hash", len, raising=False)
        told_and_judged(rules, changes)


def noted_first(muter: Muter, rules: Sequence[InhibitRule], begun: Alert) -> set[str]:
    """Takes note of an alert that begins to fire; what mutes it must be what is told when it is asked for again."""
    sides = [Matching(side).matches(begun.labels) for rule in rules for side in (rule.source, rule.target)]
    mutings, affected = muter.begun(begun.fingerprint, begun.labels, muter.ways(sides), 0.0, {})
    assert mutings == muter.inhibited(begun.labels)
    return set(affected)


def told_and_judged(rules: list[InhibitRule], changes: list[tuple[int, dict[str, str], bool]]) -> None:
    """Asks after every change whether all are inhibited that are to be, and whether every change was told."""
    named = tuple(msgspec.structs.replace(rule, name=str(number)) for number, rule in enumerate(rules))
    muter = Muter(Rulebook(inhibit=named))
    alerts: dict[str, Alert] = {}
    for number, labels, fires in changes:
        before = {name: muter.inhibited(known.labels) for name, known in alerts.items() if known.firing}
        changed = alert(labels, "firing" if fires else "resolved", fingerprint=str(number))
        may = muter.affected_by(changed) | muter.affected_by(alerts.get(changed.fingerprint, changed))
        new = fires and not (changed.fingerprint in alerts and alerts[changed.fingerprint].firing)
        affected = noted_first(muter, named, changed) if new else muter.note(changed)
        alerts[changed.fingerprint] = changed
        after = {name: muter.inhibited(known.labels) for name, known in alerts.items() if known.firing}
        differ = {name for name in before.keys() & after.keys() if before[name] != after[name]}
        assert differ - {changed.fingerprint} <= affected
        assert affected <= may
        for known in alerts.values():
            expected = {rule.name for rule in named if by_the_book(rule, known, list(alerts.values()))}
            found = muter.inhibited(known.labels)
            assert {rule for rule in expected if f'rule "{rule}"' in str(found)} == expected
            assert len(found) == len(expected)


def test_the_order_in_which_alerts_were_noted_does_not_show():
    alerts = [alert(NODE_DOWN | {"zone": str(number)}) for number in range(5)]
    forth, back = Muter(Rulebook(inhibit=(RULE,))), Muter(Rulebook(inhibit=(RULE,)))
    for known in alerts:
        forth.note(known)
    for known in reversed(alerts):
        back.note(known)
    assert forth.inhibited(alert(SLOW).labels) == back.inhibited(alert(SLOW).labels)
