"""Root causes from telemetry: translates a labelled failure into records and the engine's suspects back.

    PYTHONPATH=benchmarks:FOLDER_OF_RCA_EVAL python -m rca_eval --data DIR --method rca:rank --group dataset

`rank` has no opinion of its own: topology, metrics, logs, calls and changes become records as a connector would send
them, with one alert for the symptom; the engine runs with the rules as they ship; its suspects are the answer. What a
case gives as its fault-free reference is told as earlier times.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from quell.core.engine import Engine
from quell.model.records import (
    AlertRecord,
    AnyRecord,
    CallRecord,
    ChangeRecord,
    DependencyRecord,
    EntityRecord,
    LogRecord,
    SamplesRecord,
)
from quell.model.rulebook import Rulebook

EARLIER_S = 7200.0
"""How long before the window the reference is told to have ended."""
SETTLED_S = 3700.0
"""By then an alert without company is shown (`lone_page_most` is an hour)."""
MINUTE_S = 60.0
CHANGE_TYPES = ("config", "flag", "schema", "prompt", "model", "data", "scale")


def rank(case: Any) -> list[str]:
    """The nodes that quell suspects, best first."""
    engine = Engine(Rulebook())
    told = list(records(case))
    now = max(record.at for record in told)
    engine.decide(told, now)
    engine.decide((), now + SETTLED_S)
    suspects = [suspect for incident in engine.state.incidents.values() for suspect in incident.suspects]
    return list(dict.fromkeys(suspect.entity.partition("/")[2] for suspect in suspects))


def records(case: Any) -> Iterator[AnyRecord]:
    """All that is known of a case."""
    tables = [frame for frame in (case.logs, case.traces) if frame is not None and len(frame)]
    begins = [case.start_time, *case.metrics.index[:1], *(_since(frame) for frame in tables)]
    first = float(min(begins))
    for node in case.nodes:
        yield EntityRecord(at=first, entity=_entity(node))
    for caller, callee in case.edges:
        yield DependencyRecord(at=first, from_=_entity(caller), to=_entity(callee), type="calls")
    yield from _samples(case, first - EARLIER_S)
    if case.logs is not None and len(case.logs):
        yield from _logs(case.logs, first - EARLIER_S)
    if case.traces is not None and len(case.traces):
        yield from _calls(case.traces, first - EARLIER_S)
    if case.events is not None:
        yield from _changes(case.events)
    alert = case.alert
    name = str(alert.get("metric") or "Symptom")
    last = max([case.start_time, *case.metrics.index[-1:], *(float(frame["time"].max()) for frame in tables)])
    yield AlertRecord(
        at=float(last) + MINUTE_S,
        status="firing",
        labels={"alertname": name, "severity": "critical"},
        entity=_entity(alert["node"]),
        starts_at=case.start_time,
    )


def _entity(node: str) -> str:
    return f"service/{node}"


def _since(frame: pd.DataFrame) -> float:
    since = frame.loc[frame["phase"] != "normal", "time"]
    return float(since.min()) if len(since) else np.inf


def _samples(case: Any, earlier: float) -> Iterator[SamplesRecord]:
    """One record per node: the reference as earlier times, then the window."""
    window, normal = case.metrics, case.normal
    size = 0 if normal is None else len(normal)
    step = float(np.median(np.diff(normal.index))) if size > 1 else MINUTE_S
    told = np.concatenate((earlier - step * np.arange(size, 0, -1.0), window.index.to_numpy(float)))
    times: list[float] = told.tolist()
    values = window.to_numpy(float).T
    if size:
        place = normal.columns.get_indexer(window.columns)
        before = normal.to_numpy(float).T[place]
        before[place < 0] = np.nan
        values = np.concatenate((before, values), axis=1)
    by_node: dict[str, dict[str, list[float | None]]] = {}
    for (node, metric), row in zip(window.columns, values.tolist(), strict=True):
        by_node.setdefault(node, {})[metric] = row
    for node, metrics in by_node.items():
        yield SamplesRecord(at=times[-1], entity=_entity(node), times=times, values=metrics)


def _minutes(frame: pd.DataFrame, earlier: float) -> list[float]:
    """When each row is told to have been: its own minute, or one before the window when it is of the reference."""
    times = frame["time"].to_numpy(float)
    normal = (frame["phase"] == "normal").to_numpy()
    known = np.unique(times[normal])
    place = earlier - MINUTE_S * (len(known) - np.searchsorted(known, times))
    found: list[float] = np.where(normal, place, times).tolist()
    return found


def _logs(frame: pd.DataFrame, earlier: float) -> Iterator[LogRecord]:
    columns = (frame["node"], frame["level"], frame["template"], _counts(frame))
    for at, node, level, template, count in zip(_minutes(frame, earlier), *columns, strict=True):
        yield LogRecord(
            at=at, entity=_entity(node), severity=str(level), template=str(template), count=count, over_s=MINUTE_S
        )


def _calls(frame: pd.DataFrame, earlier: float) -> Iterator[CallRecord]:
    columns = (
        frame["caller"], frame["callee"], frame["operation"], _counts(frame),
        _seconds(frame, "mean_ms"), _seconds(frame, "net_p90_ms"),
    )  # fmt: skip
    for at, caller, callee, operation, count, mean, net in zip(_minutes(frame, earlier), *columns, strict=True):
        outside = not isinstance(caller, str) or not caller
        yield CallRecord(
            at=at, entity=_entity(callee), caller="" if outside else _entity(caller), operation=str(operation),
            count=count, over_s=MINUTE_S, mean_s=mean, net_s=net,
        )  # fmt: skip


def _counts(frame: pd.DataFrame) -> list[int]:
    found: list[int] = np.nan_to_num(frame["count"].to_numpy(float)).astype(int).tolist()
    return found


def _seconds(frame: pd.DataFrame, name: str) -> Sequence[float | None]:
    if name not in frame:
        return [None] * len(frame)
    values = frame[name].to_numpy(float) / 1000.0
    return [None if value != value else value for value in values.tolist()]  # noqa: PLR0124 - NaN only


def _changes(frame: pd.DataFrame) -> Iterator[ChangeRecord]:
    for at, node, kind, detail in zip(frame["time"], frame["node"], frame["kind"], frame["detail"], strict=True):
        words = str(kind).lower()
        known = next((name for name in CHANGE_TYPES if name in words), "deploy")
        yield ChangeRecord(at=float(at), type=known, entity=_entity(node), summary=str(detail))  # type: ignore[arg-type]
