"""Whether runs and acts in a file for an auditor are as its audit trail tells them: approvals, deeds, their ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from quell.model.decision import Audit

HIDDEN = "***"
_WORDS = frozenset({"approve", "reject"})


class ToldApproval(msgspec.Struct, frozen=True):
    """Who said what to a run."""

    approved_by: tuple[str, ...] = ()
    rejected_by: str = ""


class ToldRun(msgspec.Struct, frozen=True):
    """What is compared of a run."""

    id: str
    approval: ToldApproval | None = None


class ToldPerform(msgspec.Struct, frozen=True):
    """What is compared of an intent."""

    key: str
    action: str
    effect: str = "change"
    dry_run: bool = False


class ToldResult(msgspec.Struct, frozen=True):
    """What is compared of a result."""

    sentence: str = ""
    error: str = ""


class ToldAct(msgspec.Struct, frozen=True):
    """What is compared of an act."""

    perform: ToldPerform
    state: str = ""
    result: ToldResult | None = None


@dataclass(slots=True)
class Trail:
    """What rows of the trail say: who approved what, and of acts, by their keys, what was to be done and its end."""

    words: set[tuple[str, str, str]] = field(default_factory=set)
    about: set[str] = field(default_factory=set)
    acts: dict[str, str] = field(default_factory=dict)
    ends: dict[str, tuple[str, str]] = field(default_factory=dict)

    def take(self, audit: Audit, *, about: bool) -> None:
        """One row; ``about``: the file says that it is about its entity."""
        if audit.what in _WORDS and not audit.detail.startswith("refused: "):
            self.words.add((audit.what, audit.who, audit.target))
            if about:
                self.about.add(audit.target)
        elif audit.what == "act":
            self.acts[audit.target] = audit.detail
        elif audit.what.startswith("act "):
            self.ends[audit.target] = (audit.what.removeprefix("act ").replace(" ", "_"), audit.detail)

    def misfits(self, runs: Iterable[ToldRun], acts: Iterable[ToldAct], absent: Iterable[str]) -> Iterator[str]:
        """What the file says otherwise. ``absent`` are acts that the store itself had no more."""
        known = set()
        for run in runs:
            known.add(run.id)
            yield from self._run(run)
        for name in sorted(self.about - known):
            if any(target == name for _, _, target in self.words):
                yield f"run {name} was approved or rejected, and is not in runs.jsonl"
        told = set(absent)
        for act in acts:
            told.add(act.perform.key)
            yield from self._act(act)
        for key in sorted(self.acts.keys() - told):
            if key.partition("/")[0] in known:
                yield f"act {key} is in the trail, and not in acts.jsonl"

    def _run(self, run: ToldRun) -> Iterator[str]:
        asked = run.approval or ToldApproval()
        pairs = [("approve", who) for who in asked.approved_by]
        pairs += [("reject", asked.rejected_by)] if asked.rejected_by else []
        for what, who in pairs:
            if (what, who, run.id) not in self.words:
                yield f"run {run.id} names {who}, but no row of the trail says {what}"

    def _act(self, act: ToldAct) -> Iterator[str]:
        perform, result = act.perform, act.result
        if perform.effect == "read" or perform.dry_run or not self.acts:
            return  # what only reads is in the ledger and nowhere else
        detail = self.acts.get(perform.key)
        if detail is None:
            yield f"act {perform.key} is told, but no row of the trail says so"
        elif perform.action != detail.partition(" ")[0] and HIDDEN not in detail + perform.action:
            yield f"act {perform.key} is told as {perform.action}, but the trail says {detail.partition(' ')[0]}"
        end = self.ends.get(perform.key)
        if end is None or result is None:
            return
        said = result.error or result.sentence
        same = said == end[1] or (end[1].endswith("…") and said.startswith(end[1][:-1]))
        if act.state != end[0] or (not same and HIDDEN not in said + end[1]):
            yield f"act {perform.key} ended otherwise: the trail says {end[0]}, {end[1]}"
