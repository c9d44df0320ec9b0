"""Which rule reads which series: globs over names, matchers over what is known of the entity."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import translate
from functools import lru_cache
from hashlib import blake2b
from math import floor
from typing import Literal

import msgspec

from quell.core.detect.condition import Condition
from quell.core.detect.conditions import condition_of
from quell.expressions.matchers import Matching
from quell.model.detect import NOWHERE, Anomaly, Burn, DetectRule
from quell.model.rulebook import Rulebook
from quell.model.topology import Entity

Kind = Literal["metric", "log", "error", "distribution"]
"""Of a series; "error" is a log statement that tells of errors."""
_ROUNDING = 1e-9


class Reader:
    """One rule, with all that is worked out from it once."""

    def __init__(self, rule: DetectRule, rulebook: Rulebook) -> None:
        self.rule = rule
        self.condition: Condition = condition_of(rule, rulebook)
        self.named = rule.log or rule.distribution or rule.metric
        self.by: str = getattr(rule.when, "by", "")
        self.digest = _digest(rule, self.condition.rests_on)
        self._kinds = _kinds(rule)
        self._matches = matching(self.named).match
        self._where = Matching(rule.where)

    def sides(self, kind: Kind, name: str) -> tuple[int, ...]:
        """As what the rule reads series of this name: 0 as what it is about, 1 as what that is divided by."""
        if kind not in self._kinds:
            return ()
        own = (0,) if self._matches(name) else ()
        return (*own, 1) if self.by and name == self.by else own

    def metric(self, side: int, name: str) -> str:
        """Under which name it watches a series."""
        return self.named if side or self.rule.pooled else name

    def still_reads(self, watch_metric: str, labels: Mapping[str, str]) -> bool:
        """Whether it would watch what it watches."""
        named = watch_metric == self.named if self.rule.pooled else self._matches(watch_metric) is not None
        return named and self.selects(labels)

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether an entity with these labels is watched."""
        return self._where.matches(labels)

    def last(self, at: float) -> int:
        """The number of the latest window that is over."""
        return floor((at - self.rule.delay_s) / self.rule.every_s + _ROUNDING) - 1

    def next_look(self, now: float) -> float:
        """When windows are judged next after ``now``."""
        every, delay = self.rule.every_s, self.rule.delay_s
        due = (floor((now - delay) / every) + 1) * every + delay
        return due if due > now else due + every


@lru_cache(maxsize=1024)
def matching(glob: str) -> re.Pattern[str]:
    """A glob (``*``, ``?``, ``[…]``) compiled."""
    return re.compile(translate(glob))


def labels_of(entity: Entity, metric: str) -> dict[str, str]:
    """What matchers of a rule may ask for."""
    return {**entity.labels, "entity": entity.entity, "kind": entity.kind, "name": entity.name, "metric": metric}


def _kinds(rule: DetectRule) -> frozenset[Kind]:
    if rule.log:
        return frozenset({"error"}) if rule.errors else frozenset({"log", "error"})
    return frozenset({"distribution"}) if rule.distribution else frozenset({"metric"})


def _digest(rule: DetectRule, rests_on: str) -> str:
    """Changes when what a rule detects does, and not with how it is worded.

    Nor with what is promised of a service level, and when that is an alert: what went wrong did so all the same, or a
    budget that is spent would be whole again for whoever promises something else. Nor with how far from what is usual
    is too far, and on which days: it would be learned anew for days what is usual.
    """
    bare = msgspec.structs.replace(
        rule, severity="", impact="", labels={}, summary="", runbook="", blind_s=0.0, series=0, place=NOWHERE
    )
    if isinstance(rule.when, Burn):
        of = rule.when
        counted = of.measured in {"events", "points", "values", "amounts"}
        limit = None if of.measured == "amounts" else of.at_most
        volume = 0.0 if counted else of.volume
        of = msgspec.structs.replace(of, objective=0.0, period_s=0.0, rates=(), at_most=limit, volume=volume)
        bare = msgspec.structs.replace(bare, when=of, where=(), of=1)
    elif isinstance(rule.when, Anomaly):
        learned = Anomaly(aggregate=rule.when.aggregate, volume=rule.when.volume, zone=rule.when.zone)
        bare = msgspec.structs.replace(bare, when=learned)
    said = msgspec.json.encode(bare, order="deterministic") + rests_on.encode()
    return blake2b(said, digest_size=8).hexdigest()
