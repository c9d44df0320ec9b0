"""Pulls alerts, answers for evidence, and queries as a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode

from quell.errors import BadPayload, NoAnswer, Refused
from quell.model.records import AnyRecord
from quell.sdk.connector import Call, Context, Done, Pulled, Recalled
from quell.sdk.http import Answer, checked
from quell.sdk.moments import read_moment
from quell.sdk.monitor import input_told
from quell.sdk.payload import decode
from quell.sdk.secret import Secret
from quell.sdk.spec import Spec
from quell_connectors.prometheus.queries import DEFAULTS, queries_for
from quell_connectors.prometheus.recall import LEAST_STEP_S, Cursor, cursor_at, firing, grid, part
from quell_connectors.prometheus.spec import SPEC
from quell_connectors.prometheus.translate import (
    Alerts,
    Rules,
    Seen,
    cursor_of,
    data_of,
    firing_alerts,
    known_of,
    output_of,
    resolved_alert,
    samples_of,
    series_of,
)
from quell_connectors.prometheus.watched import read_watched, samples

_POINTS = 240
"""Points asked for per series; Prometheus gives at most 11,000."""
_LEAST_STEP_S = 15.0
_TOO_MUCH = frozenset({400, 413, 422})
"""Statuses that may mean that a question reaches over too many points or samples; in parts it may be answered."""
_FORM = "application/x-www-form-urlencoded"


class Prometheus:
    """An alert that fired at the last pull and is gone is resolved, unless its rule could not be evaluated."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._url = str(options["url"]).rstrip("/")
        self._token: Secret | None = options.get("token")
        self._queries: Mapping[str, Any] = options.get("queries") or DEFAULTS
        self._timeout_s = float(options.get("timeout") or 10.0)
        self._alerts = options.get("alerts") is not False
        self._watched = read_watched(options.get("samples"), options.get("presets"), context.source)
        self._context = context

    async def pull(self, cursor: str | None, now: float) -> Pulled:
        """Alerts, then the samples that are asked for by name.

        Raises `Unreachable`, `Refused` or `BadPayload`; nothing is resolved for want of an answer.
        """
        known = known_of(cursor)
        records, seen = await self._pulled(known.alerts, now) if self._alerts else ([], [])
        told, wrong = await self._told(known.wrong, now)
        return Pulled([*records, *told], cursor_of(seen, wrong))

    async def _told(self, before: Sequence[str], now: float) -> tuple[list[AnyRecord], list[str]]:
        """A query that Prometheus cannot answer is an alert and stops no other; its name is given back."""
        records: list[AnyRecord] = []
        failed: list[str] = []
        source = self._context.source
        for watched in self._watched:
            name, wrong = watched.name, ""
            form = {"query": watched.query, "time": f"{now:.3f}"}
            try:
                series = series_of(await self._post("/api/v1/query", form, self._timeout_s))
                records += samples(watched, series, source, now)
            except (Refused, BadPayload) as error:
                wrong = str(error)
                failed.append(name)
            was, labels = name in before, {"query": name}
            records += input_told(source, f'query "{name}"', wrong, before=was, now=now, labels=labels)
        return records, failed

    async def _pulled(self, before: Sequence[Seen], now: float) -> tuple[list[AnyRecord], list[Seen]]:
        """Asks for rules first: an alert that resolves in between is then seen as gone at the next pull."""
        groups = decode(data_of(await self._get("/api/v1/rules", {"type": "alert"})), Rules).groups
        alerts = decode(data_of(await self._get("/api/v1/alerts", {})), Alerts).alerts
        rules = [rule for group in groups for rule in group.rules if rule.type in ("alerting", "")]
        firing = firing_alerts(alerts, rules, self._context.source, now)
        unsure = {rule.name for rule in rules if rule.health != "ok"}
        records: list[AnyRecord] = list(firing.values())
        seen = [Seen(labels=record.labels, starts_at=record.starts_at) for record in firing.values()]
        still = {frozenset(record.labels.items()) for record in firing.values()}
        for former in before:
            if frozenset(former.labels.items()) in still:
                continue
            if former.labels.get("alertname") in unsure:
                seen.append(former)
            else:
                records.append(resolved_alert(former, self._context.source, now))
        return records, seen

    async def ask(self, entity: str, labels: Mapping[str, str], from_: float, to: float) -> Sequence[AnyRecord]:
        """Samples of what the configuration knows to ask about the entity."""
        records: list[AnyRecord] = []
        step = max(_LEAST_STEP_S, (to - from_) / _POINTS)
        for metric, query in queries_for(self._queries, entity, labels):
            form = {"query": query, "start": f"{from_:.3f}", "end": f"{to:.3f}", "step": f"{step:.3f}"}
            series = series_of(await self._post("/api/v1/query_range", form, self._timeout_s))
            records += samples_of(series, entity, metric, self._context.source, to)
        return records

    async def recall(self, from_: float, to: float, step_s: float, cursor: str | None) -> Recalled:
        """Alerts that fired, in parts of as many points as one answer may hold."""
        step_s = max(step_s, LEAST_STEP_S)
        at = cursor_at(cursor) if cursor else Cursor(at=grid(from_, step_s))
        if at.at > to:
            return Recalled((), to)
        points = at.points
        while True:
            last = at.at + min(points - 1, (to - at.at) // step_s) * step_s
            form = {"query": firing(step_s), "start": f"{at.at:.3f}", "end": f"{last:.3f}", "step": f"{step_s:.3f}"}
            try:
                answer = await self._ask("/api/v1/query_range", form, self._timeout_s)
                if answer.status not in _TOO_MUCH or points == 1:
                    break
            except NoAnswer:
                if points == 1:
                    raise
            points //= 2
        series = series_of(checked(answer, self._who(), (self._token,)).body)
        records, still = part(series, at, last, from_=from_, step_s=step_s, source=self._context.source)
        if last + step_s > to:
            return Recalled(records, to)
        return Recalled(records, last, Cursor(at=last + step_s, points=points, firing=still).text())

    async def act(self, call: Call) -> Done:
        """The value of an expression; it changes nothing, and a dry run does not ask."""
        query = str(call.params.get("query") or "")
        if call.dry_run:
            return Done(f"the value of {query} would be known")
        form = {"query": query, "time": f"{_moment(call):.3f}"}
        output = output_of(series_of(await self._post("/api/v1/query", form, call.timeout_s)))
        value = output["value"]
        return Done(f"{query} is {'unknown' if value is None else f'{value:g}'}", output)

    async def _get(self, path: str, query: Mapping[str, str]) -> bytes:
        answer = await self._context.http.request(
            "GET", self._url + path, headers=self._headers(), query=query, timeout_s=self._timeout_s
        )
        return checked(answer, self._who(), (self._token,)).body

    async def _post(self, path: str, form: Mapping[str, str], timeout_s: float) -> bytes:
        return checked(await self._ask(path, form, timeout_s), self._who(), (self._token,)).body

    async def _ask(self, path: str, form: Mapping[str, str], timeout_s: float) -> Answer:
        return await self._context.http.request(
            "POST",
            self._url + path,
            headers={**self._headers(), "Content-Type": _FORM},
            data=urlencode(form).encode(),
            timeout_s=timeout_s,
        )

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token.reveal()}"} if self._token else {}

    def _who(self) -> str:
        return f'prometheus "{self._context.source}"'


def _moment(call: Call) -> float:
    """The time to ask for. Raises `Refused` when it is none."""
    at = str(call.params.get("at") or "now")
    moment = call.now if at == "now" else read_moment(at)
    if moment is None:
        raise Refused(f'at: "{at}" is no time; write now, or one such as 2026-03-01T10:00:00Z')
    return moment
