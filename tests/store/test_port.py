"""What every store does: one suite for the SQL store and its twin in memory."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postgres_server import empty
from quell.errors import StoreError
from quell.model.records import (
    ChangeRecord,
    CommandRecord,
    DeliveryRecord,
    DependencyRecord,
    EntityRecord,
    FeedbackRecord,
    IncidentRecord,
    LogRecord,
    SampleRecord,
    SpanRecord,
    StepFinished,
    Tick,
)
from quell.store.opening import open_store
from quell.store.port import DROP, REPLAY, Accepted, Quarantined, Store, Turn
from quell.store.tables import AUDIT, JOURNAL, LEDGER, META, SNAPSHOTS
from store.values import accepted, alert, audit, finished, incident, perform, run, seqs_of, turn_with_intents

EVERY_KIND = [
    alert(1, value=0.5, entity="service/a"),
    ChangeRecord(at=1.0, type="deploy", entity="service/a", files=["a.py"]),
    SampleRecord(at=1.0, entity="service/a", metric="latency", points=[(1.0, 2.0), (2.0, float("inf"))]),
    LogRecord(at=1.0, entity="service/a", template="error <*>", count=3, over_s=60.0),
    SpanRecord(at=1.0, trace="t", span="s", entity="service/a", attributes={"k": "v"}),
    EntityRecord(at=1.0, entity="host/h", labels={"zone": "eu"}, tier=1),
    DependencyRecord(at=1.0, from_="service/a", to="host/h", type="runs_on", weight=0.5),
    IncidentRecord(at=1.0, status="open", title="theirs"),
    FeedbackRecord(at=1.0, verdict="right_cause", incident="INC-1", by="ada"),
    CommandRecord(at=1.0, verb="ack", target="INC-1", by="ada", args={"note": "on it", "list": [1, None, 2.5]}),
    StepFinished(at=1.0, key="somebody/else", outcome="done", output={"id": 7}),
    Tick(at=1.0),
    DeliveryRecord(at=1.0, path="/in/x", body={"a": [1, "ü"]}, headers={"h": "v"}),
]


def test_a_group_comes_back_as_it_was_accepted(store: Store) -> None:
    group = store.accept(Accepted(now=12.5, records=EVERY_KIND))
    assert (group.seq, group.now) == (1, 12.5)
    (again,) = store.groups_after(0)
    assert (again.seq, again.now, list(again.records)) == (1, 12.5, EVERY_KIND)


def test_groups_come_in_order_and_only_those_after(store: Store) -> None:
    for n in range(250):
        store.accept(accepted(n))
    assert seqs_of(store) == list(range(1, 251))
    assert seqs_of(store, after=247) == [248, 249, 250]
    assert seqs_of(store, after=250) == []


def test_a_reader_of_the_journal_does_not_keep_writes_out(store: Store) -> None:
    for n in range(3):
        store.accept(accepted(n))
    reading = store.groups_after(0)
    assert next(reading).seq == 1
    assert store.accept(accepted(9)).seq == 4


def test_a_large_group_survives_packing(store: Store) -> None:
    records = [alert(n) for n in range(500)]
    store.accept(Accepted(now=1.0, records=records))
    assert list(next(iter(store.groups_after(0))).records) == records


def test_records_that_cannot_be_kept_are_refused_and_leave_nothing(store: Store) -> None:
    bad = DeliveryRecord(at=1.0, path="/in/x", body={"n": 2**70})
    with pytest.raises(StoreError, match="cannot be stored"):
        store.accept(Accepted(now=1.0, records=[alert(1), bad], cursors={"p": "1"}))
    assert seqs_of(store) == []
    assert store.recover().cursors == {}
    assert store.accept(accepted(1)).seq == 1


def test_cursors_move_with_their_records(store: Store) -> None:
    store.accept(accepted(1, cursors={"prometheus": "10", "other": "a"}))
    store.accept(accepted(2, cursors={"prometheus": "20"}))
    assert store.recover().cursors == {"prometheus": "20", "other": "a"}


def test_an_empty_store_recovers_to_nothing(store: Store) -> None:
    recovered = store.recover()
    assert (recovered.seq, recovered.state, recovered.cursors, recovered.damaged) == (0, None, {}, ())


def test_the_last_snapshot_is_recovered(store: Store) -> None:
    store.save_snapshot(3, b"three")
    store.save_snapshot(7, b"seven" * 5000)
    store.save_snapshot(7, b"SEVEN" * 5000)
    recovered = store.recover()
    assert (recovered.seq, recovered.state) == (7, b"SEVEN" * 5000)


def test_quarantine_is_newest_first_and_numbered(store: Store) -> None:
    first = Quarantined(at=1.0, source="am", reason="not JSON", payload=b"\xff{", path="/in/am")
    second = Quarantined(at=2.0, source="am", reason="no labels", payload=b"{}")
    store.accept(Accepted(now=1.0, records=[], quarantined=[first]))
    store.keep_quarantined([second, first])
    kept = store.quarantine()
    assert [entry.id for entry in kept] == [3, 2, 1]
    assert [msgspec.structs.replace(entry, id=0) for entry in kept] == [first, second, first]
    assert len(store.quarantine(limit=1)) == 1
    behind = store.quarantine_after(1, 10)
    assert [(entry.id, entry.reason, entry.payload) for entry in behind] == [
        (3, "not JSON", b""),
        (2, "no labels", b""),
    ]
    assert [entry.id for entry in store.quarantine_after(0, 1)] == [3]
    assert store.quarantine_after(3, 10) == []


def test_only_new_intents_are_returned(store: Store) -> None:
    assert [intent.key for intent in store.commit(turn_with_intents(1, "r/a/1", "r/b/1"))] == ["r/a/1", "r/b/1"]
    assert [intent.key for intent in store.commit(turn_with_intents(2, "r/b/1", "r/c/1", "r/c/1"))] == ["r/c/1"]
    assert [entry.perform.key for entry in store.unfinished()] == ["r/a/1", "r/b/1", "r/c/1"]


def test_a_name_that_comes_again_long_after_is_another_intent(store):
    """Ids are short, and the core forgets them before the ledger does: no page may be lost to an old one."""
    day_s = 86_400.0
    store.commit(turn_with_intents(1, "page/INC-abc123/2/on-call", at=1000.0))
    store.commit(turn_with_intents(2, "r/still/1", at=1000.0))
    store.finish_act(finished("page/INC-abc123/2/on-call"))
    assert store.commit(turn_with_intents(3, "page/INC-abc123/2/on-call", at=1000.0 + 4 * day_s)) == []
    later = store.commit(turn_with_intents(4, "page/INC-abc123/2/on-call", "r/still/1", at=1000.0 + 90 * day_s))
    assert [one.key for one in later] == ["page/INC-abc123/2/on-call"], "what is not settled keeps its key"
    entry = store.ledger()[0]
    assert (entry.perform.at, entry.state, entry.result) == (1000.0 + 90 * day_s, "intended", None)
    assert store.commit(turn_with_intents(5, "page/INC-abc123/2/on-call", at=1000.0 + 90 * day_s)) == []


def test_an_act_goes_from_intent_to_result(store: Store) -> None:
    intent = perform("r/a/1", params={"deep": {"list": [1, 2.5, None, "ü"]}}, due_at=5.0)
    store.commit(Turn(seq=1, intents=[intent]))
    (entry,) = store.unfinished()
    assert (entry.perform, entry.state, entry.result, entry.tries) == (intent, "intended", None, 0)
    store.begin_act("r/a/1")
    store.begin_act("r/a/1")
    (entry,) = store.unfinished()
    assert (entry.state, entry.tries) == ("acting", 2)
    result = finished("r/a/1", output={"id": 1}, sentence="ticket 1 is open")
    store.finish_act(result)
    assert store.unfinished() == []
    (entry,) = store.ledger()
    assert (entry.state, entry.result) == ("done", result)


@dataclass(frozen=True)
class Life:
    outcomes: tuple[str, ...]
    state: str
    kept: int
    unfinished: bool


LIVES = [
    Life(("done",), "done", 0, unfinished=False),
    Life(("failed",), "failed", 0, unfinished=False),
    Life(("pending",), "acting", 0, unfinished=True),
    Life(("pending", "pending", "done"), "done", 2, unfinished=False),
    Life(("done", "failed"), "done", 0, unfinished=False),
    Life(("failed", "done"), "failed", 0, unfinished=False),
    Life(("done", "pending"), "done", 0, unfinished=False),
    Life(("in_doubt",), "in_doubt", 0, unfinished=False),
    Life(("in_doubt", "pending"), "in_doubt", 0, unfinished=False),
    Life(("in_doubt", "done", "failed"), "done", 1, unfinished=False),
]


@pytest.mark.parametrize("through_journal", [False, True], ids=["finish_act", "accept"])
@pytest.mark.parametrize("life", LIVES, ids=lambda life: "-".join(life.outcomes))
def test_results(store: Store, life: Life, through_journal: bool) -> None:
    store.commit(turn_with_intents(1, "k"))
    results = [finished("k", outcome, sentence=str(n)) for n, outcome in enumerate(life.outcomes)]
    for result in results:
        if through_journal:
            store.accept(Accepted(now=1.0, records=[alert(1), result]))
        else:
            store.finish_act(result)
    (entry,) = store.ledger()
    assert (entry.state, entry.result) == (life.state, results[life.kept])
    assert bool(store.unfinished()) is life.unfinished


def test_what_is_done_cannot_be_begun_again(store: Store) -> None:
    store.commit(turn_with_intents(1, "k"))
    store.finish_act(finished("k"))
    with pytest.raises(StoreError, match='"k" is already done'):
        store.begin_act("k")


def test_unknown_ledger_keys_are_refused(store: Store) -> None:
    with pytest.raises(StoreError, match='no entry "nobody"'):
        store.begin_act("nobody")
    with pytest.raises(StoreError, match='no entry "nobody"'):
        store.finish_act(finished("nobody"))


def test_the_ledger_is_read_by_run_newest_first(store: Store) -> None:
    store.commit(turn_with_intents(1, "a", "b", run="one"))
    store.commit(turn_with_intents(2, "c", run="two"))
    assert [entry.perform.key for entry in store.ledger()] == ["c", "b", "a"]
    assert [entry.perform.key for entry in store.ledger(run="one")] == ["b", "a"]
    assert [entry.perform.key for entry in store.ledger(limit=2)] == ["c", "b"]


def test_incidents_are_replaced_by_newer_ones(store: Store) -> None:
    store.commit(Turn(seq=1, incidents=[incident()], runs=[run()]))
    later = incident(status="resolved", resolved_at=1100.0, version=2)
    store.commit(Turn(seq=2, incidents=[later], runs=[run(state="done")]))
    assert store.incident("INC-1") == later
    assert store.incident("INC-2") is None


def test_past_incidents_are_read_newest_first(store: Store) -> None:
    over = [incident(f"INC-{n}", status="resolved", opened_at=1000.0 + n) for n in (3, 1, 2)]
    store.commit(Turn(seq=1, incidents=[*over, incident("INC-9"), incident("INC-8", status="merged")]))
    assert [one.id for one in store.resolved()] == ["INC-3", "INC-2", "INC-1"]
    assert [one.id for one in store.resolved(limit=2)] == ["INC-3", "INC-2"]


def test_audits_are_chained(store: Store) -> None:
    store.commit(Turn(seq=1, audits=[audit(1.0), audit(1.0, "silence")]))
    store.commit(Turn(seq=2, audits=[audit(2.0, "resolve", detail="fixed")]))
    newest, middle, oldest = store.audit()
    assert [entry.n for entry in (oldest, middle, newest)] == [1, 2, 3]
    assert (middle.prev_hash, newest.prev_hash) == (oldest.hash, middle.hash)
    assert newest.audit == audit(2.0, "resolve", detail="fixed")
    assert store.audit(limit=1) == [newest]
    assert store.verify_audit() is None


def test_committing_turns_again_after_a_recovery_changes_nothing(store: Store) -> None:
    turns = [
        Turn(seq=1, audits=[audit(1.0)], intents=[perform("k1")], incidents=[incident()]),
        Turn(seq=2, audits=[audit(2.0), audit(2.0)]),  # the same act twice at once is two rows
        Turn(seq=2, audits=[audit(2.5, "timer")]),  # a turn without records shares the last seq
    ]
    assert [len(store.commit(turn)) for turn in turns] == [1, 0, 0]
    before = store.audit()
    assert len(before) == 4
    # Decided again, the timer runs within the next group's turn.
    again = [*turns[:2], Turn(seq=3, audits=[audit(2.5, "timer"), audit(3.0, "new")])]
    assert [store.commit(turn) for turn in again] == [[], [], []]
    assert [entry.audit.what for entry in store.audit()] == ["new", *(entry.audit.what for entry in before)]
    assert store.verify_audit() is None


def test_turns_before_the_last_applied_one_add_no_audit_even_if_decided_differently(store: Store) -> None:
    store.commit(Turn(seq=5, audits=[audit(5.0)]))
    store.commit(Turn(seq=4, audits=[audit(4.0, "by another rulebook")]))
    assert [entry.audit.at for entry in store.audit()] == [5.0]


def test_trim_takes_what_is_old_and_not_needed(store: Store) -> None:
    junk = Quarantined(at=5.0, source="s", reason="r", payload=b"x")
    for n in range(1, 11):
        store.accept(Accepted(now=float(n), records=[alert(n)], quarantined=[junk] if n == 1 else []))
        store.commit(
            Turn(
                seq=n,
                audits=[audit(float(n))],
                intents=[perform(f"k{n}", at=float(n))],
                incidents=[
                    incident(f"INC-{n}", status="resolved" if n % 2 else "open", opened_at=1.0, updated_at=float(n))
                ],
                runs=[run(f"run-{n}", state="done" if n % 2 else "waiting", updated_at=float(n))],
            )
        )
        if n != 2:
            store.finish_act(finished(f"k{n}"))
    store.save_snapshot(6, b"six")
    store.save_snapshot(8, b"eight")
    # groups 1-5, the quarantined payload, k1 k3 k4 (k2 is unfinished), INC/run 1 3 5, audits 1-3
    assert store.trim(records_before=6.0, incidents_before=5.5, audit_before=4.0) == 5 + 1 + 4 + 3 + 3 + 3
    assert seqs_of(store) == [6, 7, 8, 9, 10]
    assert store.quarantine() == []
    assert [entry.perform.key for entry in store.ledger()] == ["k10", "k9", "k8", "k7", "k6", "k2"]
    assert store.incident("INC-3") is None
    assert store.incident("INC-4") is not None
    assert store.incident("INC-7") is not None
    assert [entry.n for entry in store.audit()] == [10, 9, 8, 7, 6, 5, 4]
    assert store.verify_audit() is None
    store.commit(Turn(seq=11, audits=[audit(11.0)]))
    assert store.verify_audit() is None


FAR = {"records_before": 1e12, "incidents_before": 1e12, "audit_before": 1e12}


@pytest.mark.parametrize(("snapshots", "left"), [((), [1, 2, 3, 4, 5]), ((4,), [1, 2, 3, 4, 5]), ((2, 4), [3, 4, 5])])
def test_trim_never_takes_what_a_recovery_needs(store: Store, snapshots: tuple[int, ...], left: list[int]) -> None:
    for n in range(1, 6):
        store.accept(accepted(n, now=float(n)))
        store.commit(Turn(seq=n, audits=[audit(float(n))], intents=[perform(f"k{n}", at=float(n))]))
        store.finish_act(finished(f"k{n}"))
    for seq in snapshots:
        store.save_snapshot(seq, b"s")
    store.trim(**FAR)
    assert seqs_of(store) == left
    for n in range(max(snapshots[:1], default=0) or 1, 6) if len(snapshots) == 2 else range(1, 6):
        assert store.commit(Turn(seq=n, audits=[audit(float(n))], intents=[perform(f"k{n}", at=float(n))])) == []
    assert len({entry.audit.at for entry in store.audit()}) == len(store.audit())
    assert store.verify_audit() is None


def test_trim_leaves_no_hole_when_the_clock_was_set_back(store: Store) -> None:
    for now in (100.0, 10.0, 200.0):
        store.accept(accepted(1, now=now))
    store.save_snapshot(2, b"a")
    store.save_snapshot(3, b"b")
    assert store.trim(records_before=50.0, incidents_before=0.0, audit_before=0.0) == 0
    assert seqs_of(store) == [1, 2, 3]


def test_seq_goes_on_after_everything_was_trimmed(store: Store) -> None:
    for n in range(3):
        store.accept(accepted(n))
    store.save_snapshot(2, b"a")
    store.save_snapshot(3, b"b")
    store.trim(**FAR)
    assert seqs_of(store) == [3]
    assert store.accept(accepted(4)).seq == 4


def test_what_was_decided_last_is_known(store: Store) -> None:
    assert store.decided_until() == 0.0
    for n, part in enumerate((
        {"audits": [audit(1.0)]}, {"intents": [perform("k", at=2.0)]},
        {"incidents": [incident(updated_at=3.0)]}, {"runs": [run(updated_at=4.0)]}, {"audits": [audit(1.5)]},
    ), start=1):  # fmt: skip
        store.commit(Turn(seq=n, **part))
        assert store.decided_until() == min(n, 4.0)


WHAT = st.lists(st.sampled_from(["accept", "act", "audit", "snapshot", "trim"]), max_size=25)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=WHAT)
def test_the_twins_agree(steps: list[str], tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> None:
    empty(postgres_url, JOURNAL, SNAPSHOTS, LEDGER, AUDIT, META)
    urls = ("memory:", "sqlite:///q.db", postgres_url)
    stores = [open_store(url, tmp_path_factory.mktemp("s")) for url in urls]
    views = []
    for one in stores:
        seen: list[object] = []
        seq = 0
        for n, step in enumerate(steps):
            at = float(n)
            if step == "accept":
                seq = one.accept(accepted(n, now=at)).seq
            elif step == "act":
                seen.append(one.commit(Turn(seq=seq, intents=[perform(f"k{n // 2}", at=at)])))
                if n % 3:
                    one.finish_act(finished(f"k{n // 2}", "done" if n % 2 else "pending"))
            elif step == "audit":
                one.commit(Turn(seq=seq, audits=[audit(at)]))
            elif step == "snapshot":
                one.save_snapshot(seq, str(n).encode())
            else:
                seen.append(one.trim(records_before=at - 2, incidents_before=at - 2, audit_before=at - 2))
        seen += [one.recover(), list(one.groups_after(0)), one.ledger(), one.unfinished(), one.audit()]
        seen.append(one.decided_until())
        assert one.verify_audit() is None
        views.append(seen)
        one.close()
    assert views[0] == views[1] == views[2]


def test_a_replay_marks_its_entry_in_the_commit_of_what_it_replays(store: Store) -> None:
    store.keep_quarantined([junk(n) for n in range(3)])
    assert store.quarantine_size() == 3
    marks = [command(REPLAY, 1), command(DROP, 2), command(REPLAY, 99), command(DROP, "x")]
    store.accept(Accepted(now=7.0, records=[alert(1), *marks]))
    first, second, third = reversed(store.quarantine())
    assert (first.state, first.seq, first.tries, first.tried_at, first.tried_by) == ("replayed", 1, 1, 6.0, "ana")
    assert (second.state, third.state, store.quarantine_size()) == ("dropped", "waiting", 1)
    store.accept(Accepted(now=8.0, records=[command(DROP, 1)]))
    assert store.quarantined(1) == first, "what was replayed stays replayed"
    assert store.quarantine(state="waiting") == [third]
    assert store.quarantine(state="replayed", source="in") == [first]
    assert store.quarantine(source="other") == []
    assert store.quarantined(99) is None


def test_a_try_in_vain_leaves_the_new_reason(store: Store) -> None:
    store.keep_quarantined([junk(1)])
    store.tried_again(1, "still not JSON", at=9.0, by="ben")
    kept = store.quarantined(1)
    assert kept is not None
    assert (kept.state, kept.reason, kept.tries, kept.tried_at) == ("waiting", "still not JSON", 1, 9.0)
    store.accept(Accepted(now=9.0, records=[command(DROP, 1)]))
    store.tried_again(1, "again", at=10.0, by="ben")
    found = store.quarantined(1)
    assert found is not None
    assert (found.state, found.reason) == ("dropped", "still not JSON")


def test_a_replay_that_poisons_the_core_again_waits_again(store: Store) -> None:
    record = {"kind": "record", "payload": b"{}"}
    store.keep_quarantined([junk(1, **record), junk(2, **record), junk(3, kind="delivery", payload=b"{}")])
    store.accept(Accepted(now=5.0, records=[command(REPLAY, 1), command(REPLAY, 3)]))
    poisoned = [junk(9, reason="the core failed", payload=payload) for payload in (b"{}", b"{}", b"[]")]
    for _ in range(2):  # also when a recovery finds them once more
        assert store.set_aside_again(1, poisoned) == poisoned[1:]
        found = store.quarantined(1)
        assert found is not None
        assert (found.state, found.reason, found.seq) == ("waiting", "the core failed", 1)
    assert [each.state for each in store.quarantine()] == ["replayed", "waiting", "waiting"]
    assert store.set_aside_again(2, poisoned[:1]) == poisoned[:1]


def junk(n: int, **fields: Any) -> Quarantined:
    return Quarantined(**{"at": float(n), "source": "in", "reason": "not JSON", "payload": b"x", **fields})


def command(verb: str, target: object) -> CommandRecord:
    return CommandRecord(at=6.0, verb=verb, target=str(target), by="ana")
