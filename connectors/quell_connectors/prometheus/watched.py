"""Named queries that are asked at every pull, whose answers are samples: KPIs, model servers, whatever is counted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from quell.errors import Misconfigured, Problem
from quell.model.records import SampleRecord
from quell_connectors.prometheus.presets import PRESETS
from quell_connectors.prometheus.translate import Series, number

_HOLE = re.compile(r"\$\{\s*([A-Za-z_]\w*)\s*\}")
_KNOWN = ("query", "entity", "metric", "unit")


@dataclass(frozen=True, slots=True)
class Watched:
    """A query; ``entity`` names labels of the answer's series in ``${…}``."""

    name: str
    query: str
    entity: str
    metric: str
    unit: str = ""


def read_watched(samples: Any, presets: Any, source: str) -> tuple[Watched, ...]:
    """Those of the options, behind those of the presets. Raises `Misconfigured` with every mistake."""
    problems: list[Problem] = []

    def wrong(message: str, suggestion: str = "") -> None:
        problems.append(Problem(f'prometheus "{source}"', 0, 0, message, suggestion))

    entries: dict[str, Any] = {}
    for preset in presets or ():
        if str(preset) not in PRESETS:
            wrong(f'presets: "{preset}" is not known', f"there are {', '.join(PRESETS)}")
        entries |= PRESETS.get(str(preset), {})
    entries |= {str(name): entry for name, entry in (samples or {}).items()}
    found = []
    for name, entry in entries.items():
        if not isinstance(entry, Mapping):
            wrong(f"samples.{name}: expected a mapping with query and entity")
            continue
        for key in entry:
            if key not in _KNOWN:
                wrong(f'samples.{name}: "{key}" is not known', f"it may have {', '.join(_KNOWN)}")
        query, entity = (str(entry.get(key) or "").strip() for key in ("query", "entity"))
        if not query:
            wrong(f'samples.{name}: needs "query", in PromQL')
        if not re.match(r"[^/\s]+/.", entity):
            wrong(
                f'samples.{name}: entity: "{entity}" is none',
                "write kind/name, such as kpi/approvals or model/${model}",
            )
        found.append(Watched(name, query, entity, str(entry.get("metric") or name), str(entry.get("unit") or "")))
    if problems:
        raise Misconfigured(problems)
    return tuple(found)


def samples(watched: Watched, series: list[Series], source: str, now: float) -> Iterator[SampleRecord]:
    """A sample of each series with a number; one that lacks a label of the entity's name is not told."""
    for one in series:
        if one.value is None or any(not one.metric.get(hole) for hole in _HOLE.findall(watched.entity)):
            continue
        at, text = one.value
        value = number(text)
        if value is None:
            continue
        named = _filled(watched.entity, one.metric)
        used = {*_HOLE.findall(watched.entity), "__name__"}
        rest = ",".join(f"{name}={text}" for name, text in sorted(one.metric.items()) if name not in used)
        metric = f"{watched.metric}{{{rest}}}" if rest else watched.metric
        yield SampleRecord(
            at=min(at, now), seen=now, source=source, entity=named, metric=metric, value=value, unit=watched.unit
        )


def _filled(entity: str, labels: Mapping[str, str]) -> str:
    return _HOLE.sub(lambda hole: labels[hole[1]], entity)
