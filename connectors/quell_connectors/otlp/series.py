"""Names of series: a metric with the attributes that are kept. The others' points are put together.

An entity's windows hold a bounded number of series. So what makes many (routes, addresses, methods) and what names
persons is left out unless it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from fnmatch import translate
from functools import lru_cache

from quell_connectors.otlp.wire import Encoding, short, text_of

DROPPED = (
    "http.*", "url.*", "network.*", "net.*", "server.*", "client.*", "peer.*", "source.*", "destination.*", "rpc.*",
    "user_agent.*", "user.*", "enduser.*", "session.*", "thread.*", "code.*", "container.*", "process.*",
    "telemetry.*", "k8s.pod.*", "k8s.container.*", "service.*", "host.*", "db.query.*", "db.operation.*",
    "db.collection.*", "db.statement", "db.sql.*", "db.client.connection.pool.name", "messaging.*.partition*",
    "messaging.kafka.*", "messaging.client*", "messaging.consumer.*", "gen_ai.system", "gen_ai.provider.*",
    "gen_ai.request.*", "gen_ai.response.*", "gen_ai.conversation.*", "gen_ai.agent.*", "otel.*", "instance",
)  # fmt: skip
"""Left out of names of series, unless kept by option. ``error.type`` and a team's own attributes are kept."""
MOST_KEPT = 50_000
_MODELS = ("gen_ai.request.model", "gen_ai.response.model")
_CUT = str.maketrans({"{": "(", "}": ")", ",": ";", "=": ":", "\n": " "})
Labels = tuple[str, str, str]
"""The part of a name within braces, without them; the model that a point is about, "" if none; its token type."""


class Series:
    """Reads attributes of points. What is remembered is a pure function of them."""

    def __init__(self, keep: Iterable[str] = (), drop: Iterable[str] = ()) -> None:
        self._keep = _any(keep)
        self._drop = _any([*DROPPED, *drop])
        self._own_drop = _any(drop)
        self.known: dict[Hashable, Labels] = {}
        """What was read already, for whoever looks there first."""

    def of(self, encoding: Encoding, attributes: Hashable) -> Labels:
        """What the attributes of a point come to, as they stand. Raises `quell.errors.BadPayload`."""
        labels = self.known.get(attributes)
        if labels is None:
            if len(self.known) >= MOST_KEPT:
                self.known.clear()
            labels = self._read(dict(encoding.read(attributes)))
            if short(attributes):
                self.known[attributes] = labels
        return labels

    def _read(self, told: dict[str, str | int | float]) -> Labels:
        kept = sorted(
            (name.translate(_CUT), text_of(value).translate(_CUT)) for name, value in told.items() if self._kept(name)
        )
        model = next((text_of(told[name]) for name in _MODELS if told.get(name)), "")
        token_type = text_of(told.get("gen_ai.token.type", ""))
        return ",".join(f"{name}={value}" for name, value in kept if value), model, token_type

    def _kept(self, name: str) -> bool:
        if self._own_drop.match(name):
            return False
        return bool(self._keep.match(name)) or not self._drop.match(name)


@lru_cache(maxsize=4096)
def named(metric: str, *labels: str) -> str:
    """The name of a series."""
    told = ",".join(label for label in labels if label)
    return f"{metric}{{{told}}}" if told else metric


def _any(globs: Iterable[str]) -> re.Pattern[str]:
    patterns = [translate(str(glob)) for glob in globs]
    return re.compile("|".join(patterns) if patterns else r"(?!)")
