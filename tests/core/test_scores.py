"""How playbooks did: counted from runs as the store keeps them, shadow held against what ended the incident."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from msgspec.structs import replace

from quell.core import begin, blast, caps, guards
from quell.core.scores import Approvals, Shadow, Times, guard_of, scores, verdict
from quell.model.incident import Incident, Remedy, Suspect
from quell.model.run import Approval, Run, StepRun

SUSPECT = Suspect(entity="service/checkout", change="c-1", kind="deploy")
ROLLBACK = StepRun(
    id="rollback", do="argocd.rollback", state="done", params={"app": "checkout", "to": "v1"},
    sentence="would roll checkout back to v1",
)  # fmt: skip
TICKET = StepRun(id="ticket", do="jira.open", state="done", params={"title": "Something is wrong"})


def run(run_id: str = "R-1", **fields: Any) -> Run:
    given = {"playbook": "roll-back", "incident": "INC-1", "state": "done", "mode": "enforce", "why": "opened",
             "started_at": 100.0, "updated_at": 160.0, "suspect": SUSPECT, "steps": (ROLLBACK,)}  # fmt: skip
    return Run(id=run_id, **{**given, **fields})


def shadow(**fields: Any) -> Run:
    return run(**{"mode": "shadow", "dry": True, **fields})


def incident(*remedies: Remedy, status: str = "resolved") -> Incident:
    return Incident(
        id="INC-1", title="t", status=status, opened_at=90.0, updated_at=200.0, remedies=remedies  # type: ignore[arg-type]
    )  # fmt: skip


def remedy(kind: Any, text: str) -> Remedy:
    return Remedy(kind=kind, text=text, by="ana")


BACK = remedy("rollback", "deploy v2 of service/checkout was taken back to v1")

VERDICTS: dict[str, tuple[Run, Incident | None, str]] = {
    "the guilty change was taken back": (shadow(), incident(BACK), "agreed"),
    "while the incident was open still": (shadow(), incident(BACK, status="open"), "agreed"),
    "another entity's was": (
        shadow(),
        incident(remedy("rollback", "deploy v2 of service/cart was taken back to v1")),
        "disagreed",
    ),
    "it was, and the playbook only opens a ticket": (shadow(steps=(TICKET,)), incident(BACK), "disagreed"),
    "it was, and the run blamed no change": (
        shadow(suspect=Suspect(entity="service/checkout")),
        incident(BACK),
        "disagreed",
    ),
    "the same playbook was run": (shadow(), incident(remedy("playbook", "roll-back: checkout runs v1")), "agreed"),
    "another playbook was run": (shadow(), incident(remedy("playbook", "restart: checkout restarted")), "disagreed"),
    "one whose name begins alike": (shadow(), incident(remedy("playbook", "roll-back-all")), "disagreed"),
    "a person names the playbook": (shadow(), incident(remedy("note", "did what Roll-Back says")), "agreed"),
    "in other writing": (shadow(), incident(remedy("note", "had to roll it back by hand")), "agreed"),
    "a person names the deed and its object": (
        shadow(playbook="p7"),
        incident(remedy("note", "Rollbacked checkout with the old tool")),
        "agreed",
    ),
    "the deed to something else": (shadow(playbook="p7"), incident(remedy("note", "rollback of cart")), "disagreed"),
    "a person says something else": (shadow(), incident(remedy("note", "DNS was broken at checkout")), "disagreed"),
    "nobody did anything": (shadow(), incident(), "disagreed"),
    "it is open": (shadow(), incident(status="open"), "unknown"),
    "it was merged": (shadow(), incident(status="merged"), "unknown"),
    "it was withdrawn": (shadow(), incident(status="withdrawn"), "unknown"),
    "it is forgotten": (shadow(), None, "unknown"),
    "the run itself failed": (shadow(state="failed"), incident(BACK), "unknown"),
    "the run was stopped": (shadow(state="stopped"), incident(BACK), "unknown"),
}


@pytest.mark.parametrize("what", VERDICTS)
def test_a_run_in_shadow_is_held_against_what_took_place(what: str) -> None:
    told, was, expected = VERDICTS[what]
    assert verdict(told, was) == expected


def test_a_run_by_hand_counts_although_nothing_says_so_in_the_incident() -> None:
    runs = [shadow(), run("R-2", by="ana", trigger="command")]
    (score,) = scores(runs, lambda _id: incident(status="open"))
    assert score.shadow == Shadow(runs=1, agreed=1)
    (score,) = scores([shadow(), run("R-2", state="failed")], lambda _id: incident(status="open"))
    assert score.shadow == Shadow(runs=1, unknown=1)
    (score,) = scores([shadow(), run("R-2", incident="INC-2")], lambda _id: incident(status="open"))
    assert score.shadow == Shadow(runs=1, unknown=1)


def test_runs_are_counted_by_what_they_came_to() -> None:
    undone = run(
        "R-4", state="undone", steps=(replace(ROLLBACK, state="undone"), replace(TICKET, state="failed", error="no"))
    )
    runs = [
        run("R-1"),
        run("R-2", updated_at=300.0),
        run("R-3", state="running", updated_at=5000.0),
        undone,
        run("R-5", state="stuck", updated_at=130.0),
        run("R-6", dry=True),
        run("R-7", state="skipped", error="cooldown of 30m after run R-1 holds until 1970-01-01T00:30:00Z"),
        run("R-8", state="skipped", mode="shadow", dry=True, error='lock "x" is held by run R-3 of p until it is over'),
        run("R-9", state="skipped", error="ana paused all playbooks"),
        shadow(run_id="R-10"),
    ]
    (score,) = scores(runs, lambda _id: None)
    assert (score.runs, score.dry) == (5, 1)
    assert score.outcomes == {"done": 2, "running": 1, "stuck": 1, "undone": 1}
    assert score.held == {"cooldown": 1, "lock": 1, "pause": 1}
    assert (score.undone, score.stuck, score.in_doubt) == (1, 1, 0)
    assert score.to_end == Times(count=4, median_s=60.0, longest_s=200.0)
    assert score.shadow == Shadow(runs=1, unknown=1)


@pytest.mark.parametrize(
    ("said", "guard"),
    [
        ("limit of 3 runs in 1d is reached until 1970-01-02T00:00:00Z", "limit"),
        ('lock "restart:x" is kept by run R-1 of p, which is stuck', "lock"),
        ("service/x is locked by run R-1 of p, which is stuck", "lock"),
        ("unless: open_run('p')", "unless"),
        ('freeze "christmas" (quiet) holds until 1970-01-02T00:00:00Z', "freeze"),
        ('window "nights" holds until 1970-01-02T00:00:00Z', "window"),
        ("blast radius: it would touch 4 entities, services may be 3 at most", "blast radius"),
        ("cap: automation.changes_per_hour is 0, so nothing is changed", "cap"),
        ("run R-1 is not over yet", "already running"),
        ("something that is not known here", "other"),
    ],
)
def test_a_guard_is_named_in_a_word(said: str, guard: str) -> None:
    assert guard_of(run(state="skipped", error=said)) == guard


def test_the_guards_speak_as_they_are_read_here() -> None:
    """The core's own sentences: should one be written anew, this tells."""
    spoken = "".join(map(inspect.getsource, (begin, blast, caps, guards)))
    for words in ("paused all playbooks", "unless: ", "cooldown of ", "limit of ", 'lock "', "is locked by run",
                  "blast radius: ", "cap: ", '"freeze" if', 'else "window"', "is not over yet"):  # fmt: skip
        assert words in spoken


def asked(**fields: Any) -> Approval:
    return Approval(**{"step": "ok", "asked_at": 100.0, "expires_at": 900.0, **fields})


def test_questions_and_how_long_people_took() -> None:
    step = StepRun(id="ok", do="approve", state="done", finished_at=160.0)
    later = replace(ROLLBACK, started_at=400.0)
    runs = [
        run("R-1", approval=asked(approved_by=("ana",)), steps=(step, ROLLBACK)),
        run("R-2", approval=asked(step="", approved_by=("ana", "ben"), need=2), steps=(later,)),
        run("R-3", approval=asked(rejected_by="ana"), state="stopped"),
        run("R-4", approval=asked(), state="stopped", error="nobody approved it within 13m20s"),
        run("R-5", approval=asked(approved_by=("ana",), need=2), state="waiting"),
    ]
    (score,) = scores(runs, lambda _id: None)
    assert score.approvals == Approvals(
        asked=5, given=2, rejected=1, expired=1, waiting=1, to_yes=Times(count=2, median_s=180.0, longest_s=300.0)
    )


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({"state": "in_doubt"}, 1),
        ({"state": "done", "sentence": "ana says that it took effect"}, 1),
        ({"state": "failed", "error": "ana says that it did not take effect"}, 1),
        ({"state": "failed", "error": "no route"}, 0),
    ],
)
def test_what_was_in_doubt_is_counted_also_when_a_person_has_said_what_became_of_it(
    fields: dict[str, Any], count: int
) -> None:
    (score,) = scores([run(steps=(replace(TICKET, **fields),))], lambda _id: None)
    assert score.in_doubt == count


def test_playbooks_that_never_ran_are_there_and_all_are_in_order() -> None:
    found = scores([run()], lambda _id: None, ["zoo", "alpha"])
    assert [score.playbook for score in found] == ["alpha", "roll-back", "zoo"]
    assert (found[0].runs, found[0].outcomes, found[0].to_end) == (0, {}, Times())
