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
from quell.model.detect import NOWHERE, DetectRule
from quell.model.topology import Entity

Kind = Literal["metric", "log", "distribution"]
_ROUNDING = 1e-9


class Reader:
    """One rule, with all that is worked out from it once."""

    def __init__(self, rule: DetectRule) -> None:
        self.rule = rule
        self.condition: Condition = condition_of(rule)
        self.kind: Kind = "log" if rule.log else "distribution" if rule.distribution else "metric"
        self.by: str = getattr(rule.when, "by", "")
        self._named = matching(rule.log or rule.distribution or rule.metric)
        self._where = Matching(rule.where)

    def sides(self, kind: Kind, name: str) -> tuple[int, ...]:
        """As what the rule reads series of this name: 0 as what it is about, 1 as what that is divided by."""
        if kind != self.kind:
            return ()
        own = (0,) if self._named.match(name) else ()
        return (*own, 1) if self.by and name == self.by else own

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


def digest(rule: DetectRule) -> str:
    """Changes when what a rule detects does, and not with how it is worded."""
    bare = msgspec.structs.replace(
        rule, severity="", impact="", labels={}, summary="", runbook="", place=NOWHERE
    )  # fmt: skip
    return blake2b(msgspec.json.encode(bare, order="deterministic"), digest_size=8).hexdigest()


def labels_of(entity: Entity, metric: str) -> dict[str, str]:
    """What matchers of a rule may ask for."""
    return {**entity.labels, "entity": entity.entity, "kind": entity.kind, "name": entity.name, "metric": metric}
