"""Replay: the core over files, and results as the public format has them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quell.errors import Misconfigured
from quell.model.playbook import Place, Playbook, Step
from quell.model.records import Tick
from quell.model.rulebook import Rulebook
from quell.replay.reader import Reader
from quell.replay.results import result_lines, write_results
from quell.replay.run import replay
from replay.shop import T0, alert, graph, line, story, written

RULEBOOK = Rulebook(
    playbooks=(
        Playbook(
            name="ticket",
            place=Place(file="t.yaml", line=1),
            mode="enforce",
            steps=(
                Step(
                    id="open", do="ticket.open", place=Place(file="t.yaml", line=2), effect="tell",
                    with_={"title": "${incident.title}"},
                ),
                Step(id="look", do="prometheus.query", place=Place(file="t.yaml", line=3), effect="read"),
                Step(id="fix", do="http.request", place=Place(file="t.yaml", line=4)),
            ),
        ),
        Playbook(
            name="rollback",
            place=Place(file="r.yaml", line=1),
            mode="propose",
            steps=(Step(id="back", do="http.request", place=Place(file="r.yaml", line=2)),),
        ),
    )
)  # fmt: skip


@pytest.fixture
def stream(tmp_path):
    return written(tmp_path / "records.jsonl", story())


def outcome_of(path, rulebook=RULEBOOK, **options):
    reader = Reader()
    outcome = replay(reader.read(path), rulebook, **options)
    assert reader.problems == []
    return outcome


def results(outcome):
    found = {"alert_result": {}, "incident_result": [], "run_result": []}
    for each in result_lines(outcome):
        if each["kind"] == "alert_result":
            found["alert_result"][each["id"]] = each
        else:
            found[each["kind"]].append(each)
    return found


def test_every_firing_alert_record_has_a_result(stream):
    found = results(outcome_of(stream))
    # Records without an id are named by their line.
    assert set(found["alert_result"]) == {"first", "11", "12", "api", "14", "again", "noise"}
    (incident,) = [each for each in found["incident_result"] if not each["withdrawn"]]
    joined = {name for name, each in found["alert_result"].items() if each["incident"] == incident["incident"]}
    assert joined == {"first", "11", "12", "api", "14", "again"}


def test_repeats_belong_to_their_alert(stream):
    found = results(outcome_of(stream))["alert_result"]
    assert found["again"] == {**found["first"], "id": "again"}


def test_noise_has_no_incident_and_a_reason(stream):
    noise = results(outcome_of(stream))["alert_result"]["noise"]
    assert noise["incident"] is None
    assert noise["verdict"] in {"hold", "digest"}
    assert noise["reason"]["code"]
    assert noise["reason"]["text"]


def test_an_incident_names_its_cause_and_change(stream):
    found = results(outcome_of(stream))
    incident = found["incident_result"][0]
    first = incident["suspects"][0]
    assert (first["entity"], first["change"]) == ("service/cart", "chg-1")
    assert 0 < first["confidence"] <= 1
    assert first["evidence"]
    assert incident["no_clear_cause"] is False
    assert incident["status"] == "open"
    assert incident["harm"] == "system"
    assert incident["opened_at"] <= incident["paged_at"]
    assert incident["page_alert"] in found["alert_result"]


def test_playbooks_are_planned_and_nothing_is_done(stream):
    runs = {each["playbook"]: each for each in results(outcome_of(stream))["run_result"]}
    ticket, rollback = runs["ticket"], runs["rollback"]
    assert [step["state"] for step in ticket["steps"]] == ["done", "failed", "skipped"]
    assert ticket["steps"][0]["sentence"] == "ticket.open would be done"
    assert "cart" in ticket["steps"][0]["params"]["title"]
    assert (ticket["mode"], ticket["state"]) == ("shadow", "failed")
    assert (rollback["mode"], rollback["state"]) == ("propose", "proposed")


def test_a_cut_stream_shows_the_same_incidents_open(tmp_path, stream):
    whole = outcome_of(stream)
    lines = list(story())
    cut = outcome_of(written(tmp_path / "cut.jsonl", lines[:-5]), settle_s=0.0)
    assert {each.incident.id for each in cut.incidents} == {each.incident.id for each in whole.incidents}
    assert [each.shown_at for each in cut.incidents] == [each.shown_at for each in whole.incidents]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=900), max_size=10))
def test_time_passing_between_the_lines_changes_nothing(tmp_path_factory, ticks):
    path = tmp_path_factory.mktemp("ticks")
    plain = outcome_of(written(path / "a.jsonl", story()))
    with_ticks = sorted([*story(), *(line("tick", after_s) for after_s in ticks)], key=lambda each: each["at"])
    named = [{**each, "id": each.get("id", "")} for each in with_ticks]
    ticked = outcome_of(written(path / "b.jsonl", named))
    assert {each.incident.id for each in ticked.incidents} == {each.incident.id for each in plain.incidents}
    assert [each.shown_at for each in ticked.incidents] == [each.shown_at for each in plain.incidents]


def test_the_same_stream_gives_the_same_bytes(tmp_path, stream):
    first, second = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    assert write_results(outcome_of(stream), first) == write_results(outcome_of(stream), second)
    assert first.read_bytes() == second.read_bytes()
    kinds = [json.loads(each)["kind"] for each in first.read_text().splitlines()]
    assert kinds == sorted(kinds, key=["alert_result", "incident_result", "run_result"].index)


def test_a_clock_that_steps_back_is_held(tmp_path):
    early = alert("HighErrors", "web", 695)
    lines = list(story())
    lines.insert(-3, early)
    outcome = outcome_of(written(tmp_path / "late.jsonl", lines))
    assert outcome.ended_at == T0 + 850 + 15
    assert outcome.records == len(lines)


def test_what_is_alone_stays_alone(tmp_path):
    lines = [*graph(), alert("DiskFills", "wiki", 10, severity="warning")]
    outcome = outcome_of(written(tmp_path / "few.jsonl", lines))
    assert outcome.incidents == []
    assert outcome.alerts[0].incident is None


def test_nothing_in_nothing_out(tmp_path):
    outcome = replay([], Rulebook())
    assert (outcome.records, outcome.ended_at, list(result_lines(outcome))) == (0, None, [])
    assert replay([Tick(at=5.0)], Rulebook(), settle_s=0.0).ended_at == 5.0


def test_results_that_cannot_be_written_are_a_problem(tmp_path):
    with pytest.raises(Misconfigured, match="cannot be written: Is a directory"):
        write_results(replay([], Rulebook()), tmp_path)
