"""How playbooks do: what their runs came to, what held them, how long people took, and whether shadow was right.

A run in shadow says what it would have done. It is held against what took place in its incident:

* *agreed*: the same thing was done. A run of the same playbook was done for real; or the guilty change was taken back
  and this is what the run, which changes something, was about; or whoever resolved the incident named the playbook, or
  the deed and what it is done to.
* *disagreed*: the incident is resolved, and nothing of that took place.
* *unknown*: everything else. The incident is open, was merged, withdrawn or forgotten; or the run came to no end.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from statistics import median
from typing import Literal

import msgspec

from quell.model.incident import Incident, Remedy
from quell.model.run import Run, StepRun

Verdict = Literal["agreed", "disagreed", "unknown"]

_GUARDS = (
    ("pause", re.compile(r"paused all playbooks")),
    ("unless", re.compile(r"^unless\b")),
    ("cooldown", re.compile(r"^cooldown\b")),
    ("limit", re.compile(r"^limit\b")),
    ("lock", re.compile(r"^lock |is locked by run")),
    ("blast radius", re.compile(r"^blast radius")),
    ("cap", re.compile(r"^cap\b")),
    ("freeze", re.compile(r"^freeze\b")),
    ("window", re.compile(r"^(maintenance )?window\b")),
    ("already running", re.compile(r"is not over yet$")),
)
_SETTLED_BY_A_PERSON = re.compile(r" says that it (took effect|did not take effect)$")
_WORDS = re.compile(r"[a-z0-9]+")
_TELLING = 4
"""Letters of the shortest word that names a deed: "to", "do" and "put" are in every other sentence."""


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds: how many there were, the middle one, and the longest."""

    count: int = 0
    median_s: float | None = None
    longest_s: float | None = None


class Approvals(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the questions; ``to_yes`` is how long people took to say yes."""

    asked: int = 0
    given: int = 0
    rejected: int = 0
    expired: int = 0
    waiting: int = 0
    to_yes: Times = Times()


class Shadow(msgspec.Struct, frozen=True, kw_only=True):
    """Runs in shadow by how they compare with what took place."""

    runs: int = 0
    agreed: int = 0
    disagreed: int = 0
    unknown: int = 0


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """One playbook. ``outcomes`` are of runs for real, by state; ``dry`` those that a person tried out.

    ``held`` are runs that did not begin, by the guard that kept them; ``undone`` are steps that were taken back, and
    ``in_doubt`` runs of which a person had to say what became of them; ``to_end`` is from the beginning of runs for
    real to their end.
    """

    playbook: str
    runs: int = 0
    outcomes: dict[str, int] = {}
    held: dict[str, int] = {}
    approvals: Approvals = Approvals()
    undone: int = 0
    stuck: int = 0
    in_doubt: int = 0
    to_end: Times = Times()
    dry: int = 0
    shadow: Shadow = Shadow()


def scores(runs: Iterable[Run], incident: Callable[[str], Incident | None], names: Iterable[str] = ()) -> list[Score]:
    """A score for each playbook that ran, and for each of ``names``, by name."""
    by_playbook: dict[str, list[Run]] = {name: [] for name in names}
    for run in runs:
        by_playbook.setdefault(run.playbook, []).append(run)
    return [_score(name, found, incident) for name, found in sorted(by_playbook.items())]


def _score(name: str, runs: list[Run], incident: Callable[[str], Incident | None]) -> Score:
    real = [run for run in runs if not run.dry and run.mode != "shadow"]
    begun = [run for run in real if run.state != "skipped"]
    shadow = [run for run in runs if run.mode == "shadow" and run.state != "skipped"]
    done_for = {run.incident for run in begun if run.state == "done"}
    verdicts = Counter(verdict(run, incident(run.incident), done_for) for run in shadow)
    return Score(
        playbook=name,
        runs=len(begun),
        outcomes=dict(sorted(Counter(run.state for run in begun).items())),
        held=dict(sorted(Counter(guard_of(run) for run in runs if run.state == "skipped").items())),
        approvals=_approvals(begun),
        undone=sum(step.state == "undone" for run in begun for step in run.steps),
        stuck=sum(run.state == "stuck" for run in begun),
        in_doubt=sum(_was_in_doubt(run) for run in begun),
        to_end=times(run.updated_at - run.started_at for run in begun if run.over),
        dry=sum(run.dry and run.mode != "shadow" and run.state != "skipped" for run in runs),
        shadow=Shadow(
            runs=len(shadow),
            agreed=verdicts["agreed"],
            disagreed=verdicts["disagreed"],
            unknown=verdicts["unknown"],
        ),
    )


def times(seconds: Iterable[float]) -> Times:
    """Of some spans."""
    known = [max(each, 0.0) for each in seconds]
    if not known:
        return Times()
    return Times(count=len(known), median_s=round(median(known), 3), longest_s=round(max(known), 3))


def guard_of(run: Run) -> str:
    """The guard that kept a run from beginning, in a word or two."""
    return next((name for name, pattern in _GUARDS if pattern.search(run.error)), "other")


def _approvals(runs: list[Run]) -> Approvals:
    asked = [run for run in runs if run.approval is not None]
    yes = {run.id: span for run in asked if (span := _to_yes(run)) is not None}
    expired = [run for run in asked if run.error.startswith("nobody approved it within")]
    return Approvals(
        asked=len(asked),
        given=len(yes),
        rejected=sum(bool(run.approval and run.approval.rejected_by) for run in asked),
        expired=len(expired),
        waiting=sum(run.asks for run in asked),
        to_yes=times(yes.values()),
    )


def _to_yes(run: Run) -> float | None:
    """How long the last question of a run took, if it was answered with yes by as many as it needed."""
    approval = run.approval
    if approval is None or len(approval.approved_by) < approval.need:
        return None
    step = next((step for step in run.steps if step.id == approval.step), None)
    if step is not None:
        return None if step.finished_at is None else step.finished_at - approval.asked_at
    began = [step.started_at for step in run.steps if step.started_at is not None]
    return min(began) - approval.asked_at if began else None


def _was_in_doubt(run: Run) -> bool:
    acts = (*run.steps, *run.deeds)
    return any(act.state == "in_doubt" or _SETTLED_BY_A_PERSON.search(act.sentence or act.error) for act in acts)


# Shadow


def verdict(run: Run, incident: Incident | None, done_for: Iterable[str] = ()) -> Verdict:
    """How a run in shadow compares with what took place; its playbook ran for real for the incidents ``done_for``."""
    if run.state != "done" or incident is None:
        return "unknown"
    if incident.id in set(done_for) or any(_same(run, remedy) for remedy in incident.remedies):
        return "agreed"
    return "disagreed" if incident.status == "resolved" else "unknown"


def _same(run: Run, remedy: Remedy) -> bool:
    if remedy.kind == "playbook":
        return remedy.text.partition(":")[0] == run.playbook
    if remedy.kind == "rollback":
        return _takes_back(run, remedy.text)
    return _named(run, remedy.text)


def _takes_back(run: Run, text: str) -> bool:
    """Whether the change that was taken back is the run's suspect, and the run does something to what it changed."""
    suspect = run.suspect
    if suspect is None or suspect.change is None or f" of {suspect.entity} was taken back to " not in text:
        return False
    return any(_touches(step, suspect.entity) for step in run.steps)


def _touches(step: StepRun, entity: str) -> bool:
    """Whether a step would have changed something, and names the entity."""
    if step.state != "done" or step.do in {"approve", "wait", "escalate", "page", "incident.note"}:
        return False
    return entity.partition("/")[2] in _texts(step.params)


def _named(run: Run, text: str) -> bool:
    """Whether a person's words name the playbook, or a step's deed together with what it is done to."""
    said = text.lower()
    words = set(_WORDS.findall(said))
    if set(_WORDS.findall(run.playbook.lower())) <= words:
        return True
    entity = run.suspect.entity.partition("/")[2].lower() if run.suspect is not None else ""
    if not entity or entity not in said:
        return False
    deeds = {word for step in run.steps for word in _WORDS.findall(step.do.lower()) if len(word) >= _TELLING}
    return any(word.startswith(deed) for deed in deeds for word in words)


def _texts(value: object) -> str:
    if isinstance(value, Mapping):
        return "\n".join(_texts(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return "\n".join(map(_texts, value))
    return str(value)
