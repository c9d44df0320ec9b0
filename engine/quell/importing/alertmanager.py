"""Alertmanager's configuration as ours: routes become pages, inhibitions and mute times become rules.

Alertmanager sends groups of alerts to receivers; quell pages for incidents, and for the few alerts that stand alone.
What is taken over is who is told of what, not how often.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from quell.config.nodes import Document, Path
from quell.errors import ExpressionError
from quell.expressions.matchers import parse_matchers
from quell.importing.receivers import Receiver, receiver_of
from quell.importing.report import Report
from quell.importing.terms import Term, joined, without
from quell.importing.weekly import Unweekly, minutes_of, opposite, spans
from quell.model.mute import Matcher

_TIMING = ("group_by", "group_wait", "group_interval", "repeat_interval")
_ROUTE = {
    "receiver", "match", "match_re", "matchers", "continue", "routes", "mute_time_intervals", "active_time_intervals",
    *_TIMING,
}  # fmt: skip


@dataclass(slots=True)
class Taken:
    """What the files will hold: settings for quell.yaml, and rules by kind."""

    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    pages: list[dict[str, Any]] = field(default_factory=list)
    inhibit: list[dict[str, Any]] = field(default_factory=list)
    windows: list[dict[str, Any]] = field(default_factory=list)
    resolve_timeout: str = ""
    secrets: dict[str, str] = field(default_factory=dict)
    """Environment variables to be set, and what each is."""


def is_alertmanager(value: Any) -> bool:
    """Whether a document looks like Alertmanager's configuration."""
    return isinstance(value, dict) and "route" in value and "receivers" in value


def taken_from(document: Document, report: Report) -> Taken:
    """Everything of it that can be said here; the report has a line for every part."""
    reader = _Reader(document, report, document.value)
    reader.settings()
    reader.receivers()
    reader.inhibitions()
    reader.intervals()
    reader.route(("route",), document.value.get("route"), ((),), "")
    return reader.taken


class _Reader:
    def __init__(self, document: Document, report: Report, raw: Mapping[str, Any]) -> None:
        self.taken = Taken(sources={"alertmanager": {"use": "alertmanager"}, "console": {"use": "console"}})
        self._document = document
        self._report = report
        self._raw = raw
        self._receivers: dict[str, Receiver] = {}
        self._intervals: dict[str, list[tuple[str, bytearray]] | str] = {}
        self._windows: set[str] = set()

    def settings(self) -> None:
        """Global settings, and parts of which there is nothing here."""
        for name, value in _mapping(self._raw.get("global")).items():
            if name == "resolve_timeout":
                self.taken.resolve_timeout = str(value)
                self._report.carried(("global", name), name, "resolve_timeout in quell.yaml")
            else:
                self._report.left_out(("global", name), f"global.{name}", "it is a default of Alertmanager's receivers")
        if self._raw.get("templates"):
            why = "pages here say title, cause and evidence in words of their own; see with: under pages:"
            self._report.left_out(("templates",), "templates", why)
        known = {"global", "templates", "route", "receivers", "inhibit_rules", "time_intervals", "mute_time_intervals"}
        for name in self._raw:
            if name not in known:
                self._report.left_out((name,), name, "quell has nothing like it")

    def receivers(self) -> None:
        """Each receiver as actions, with the sources that they need."""
        for index, raw in enumerate(_list(self._raw.get("receivers"))):
            found = receiver_of(_mapping(raw), ("receivers", index), self._report)
            self._receivers[found.name] = found
            self.taken.sources.update(found.sources)
            self.taken.secrets.update(found.secrets)

    def inhibitions(self) -> None:
        """``inhibit_rules`` as rules of the kind inhibit."""
        for index, raw in enumerate(_list(self._raw.get("inhibit_rules"))):
            path, rule = ("inhibit_rules", index), _mapping(raw)
            name = str(rule.get("name") or f"alertmanager {index + 1}")
            try:
                source = _matchers(rule, "source_")
                target = _matchers(rule, "target_")
            except ExpressionError as error:
                self._report.left_out(path, f'inhibition "{name}"', f"a matcher cannot be read: {error}")
                continue
            written: dict[str, Any] = {"name": name, "source": _texts(source), "target": _texts(target)}
            if rule.get("equal"):
                written["equal"] = [str(label) for label in _list(rule["equal"])]
            if not source or not target:
                written["everything"] = True
            self.taken.inhibit.append(written)
            self._report.carried(path, f'inhibition "{name}"', f'rule "{name}" in rules/inhibit.yaml')

    def intervals(self) -> None:
        """Named time intervals, kept until a route names them."""
        for key in ("time_intervals", "mute_time_intervals"):
            for index, raw in enumerate(_list(self._raw.get(key))):
                entry = _mapping(raw)
                name = str(entry.get("name") or "")
                try:
                    self._intervals[name] = [
                        (str(each.get("location") or "UTC"), minutes_of(each))
                        for each in map(_mapping, _list(entry.get("time_intervals")))
                    ]
                except Unweekly as error:
                    self._intervals[name] = str(error)
                    self._report.left_out((key, index), f'time interval "{name}"', str(error))

    def route(self, path: Path, raw: Any, above: Sequence[Term], receiver: str) -> None:
        """A route with those below it. ``above`` are the terms of what reaches it."""
        route = _mapping(raw)
        receiver = str(route.get("receiver") or receiver)
        for name in route.keys() - _ROUTE:
            self._report.left_out((*path, name), f"route.{name}", "quell has nothing like it")
        timing = [name for name in _TIMING if name in route]
        if timing:
            why = "quell groups by cause and tells again by severity and acknowledgement; see remind_after in triage"
            self._report.left_out((*path, timing[0]), " ".join(timing), why)
        below: list[Term] = []
        children = _list(route.get("routes"))
        reached: Sequence[Term] | None = above
        for index, raw_child in enumerate(children):
            child, place = _mapping(raw_child), (*path, "routes", index)
            try:
                own = _matchers(child, "")
            except ExpressionError as error:
                self._report.left_out(place, "route", f"a matcher cannot be read: {error}")
                continue
            if reached is not None:
                self.route(place, child, joined(reached, own), receiver)
            below.append(own)
            if not child.get("continue") and reached is not None:
                reached = without(reached, [own])
        rest = without(above, below)
        if rest is None or reached is None:
            why = "what its sub-routes leave to it takes too many matchers to say; write the page by hand"
            self._report.left_out(path, f'route to "{receiver}"', why)
            return
        self._page(path, receiver, rest)
        self._mute_times(path, route, rest)

    def _page(self, path: Path, name: str, terms: Sequence[Term]) -> None:
        found = self._receivers.get(name)
        part = f'route to "{name}"'
        if found is None:
            self._report.left_out(path, part, "there is no receiver of that name")
        elif not terms:
            self._report.carried(path, part, "nothing reaches it: its sub-routes take everything")
        elif not found.actions:
            self._report.carried(path, part, "nobody is told of what it takes, so no page here names it")
        else:
            for action, params in found.actions:
                for number, term in enumerate(terms, 1):
                    page: dict[str, Any] = {"name": self._free(f"{name} {number}" if len(terms) > 1 else name)}
                    page["to"] = action
                    if params:
                        page["with"] = params
                    if term:
                        page["match"] = _texts(term)
                    self.taken.pages.append(page)
            pages = f"{len(terms)} page{'s' * (len(terms) != 1)} in quell.yaml"
            (self._report.changed if found.changed else self._report.carried)(path, part, found.changed or pages)

    def _free(self, name: str) -> str:
        used, free, number = {page["name"] for page in self.taken.pages}, name, 1
        while free in used:
            number += 1
            free = f"{name} ({number})"
        return free

    def _mute_times(self, path: Path, route: Mapping[str, Any], terms: Sequence[Term]) -> None:
        """Muted in any of its mute times; of its active times, muted outside of all of them."""
        for name in map(str, _list(route.get("mute_time_intervals"))):
            found = self._named((*path, "mute_time_intervals"), f'mute_time_intervals "{name}"', name)
            if found is not None and terms:
                self._windows_of(path, "mute_time_intervals", [name], found, terms)
        active = [str(name) for name in _list(route.get("active_time_intervals"))]
        if not active:
            return
        key = "active_time_intervals"
        each = [self._named((*path, key), f'{key} "{name}"', name) for name in active]
        known = [found for found in each if found is not None]
        if len(known) < len(each):
            rest = [name for name, found in zip(active, each, strict=True) if found is not None]
            if rest:
                why = "the route is also active in what could not be carried, so none of its times is"
                self._report.left_out((*path, key), f'{key} "{", ".join(rest)}"', why)
        elif terms:
            self._windows_of(path, key, active, [part for found in known for part in found], terms)

    def _named(self, path: Path, part: str, name: str) -> list[tuple[str, bytearray]] | None:
        found = self._intervals.get(name)
        if isinstance(found, list):
            return found
        self._report.left_out(path, part, found or "there is no time interval of that name")
        return None

    def _windows_of(
        self, path: Path, key: str, names: Sequence[str], found: Iterable[tuple[str, bytearray]], terms: Sequence[Term]
    ) -> None:
        zones: dict[str, bytearray] = {}
        for zone, inside in found:
            known = zones.setdefault(zone, bytearray(len(inside)))
            zones[zone] = bytearray(a | b for a, b in zip(known, inside, strict=True))
        active, name = key == "active_time_intervals", ", ".join(names)
        if active and len(zones) > 1:
            self._report.left_out((*path, key), f'{key} "{name}"', "its parts are in several time zones")
            return
        written = 0
        for zone, inside in zones.items():
            for span in spans(opposite(inside) if active else inside):
                for term in terms:
                    written += 1
                    window: dict[str, Any] = {"name": self._window_name(name), "match": _texts(term), **span}
                    window |= {"zone": zone, "reason": f'{"outside " if active else ""}"{name}", from Alertmanager'}
                    if not term:
                        window["everything"] = True
                    self.taken.windows.append(window)
        told = f"{written} window{'s' * (written != 1)} in rules/windows.yaml: alerts that match are muted for everyone"
        self._report.carried((*path, key), f'{key} "{name}"', told)

    def _window_name(self, name: str) -> str:
        number, free = 1, name
        while free in self._windows:
            number += 1
            free = f"{name} {number}"
        self._windows.add(free)
        return free


def _matchers(raw: Mapping[str, Any], prefix: str) -> Term:
    """All three ways in which Alertmanager lets one write them. Raises ExpressionError."""
    found: list[Matcher] = []
    for name, value in _mapping(raw.get(f"{prefix}match")).items():
        found.append(Matcher(name=str(name), value=str(value)))
    for name, value in _mapping(raw.get(f"{prefix}match_re")).items():
        found.append(Matcher(name=str(name), value=str(value), is_regex=True))
    written = raw.get(f"{prefix}matchers")
    for text in [written] if isinstance(written, str) else _list(written):
        found += parse_matchers(str(text))
    for matcher in found:
        parse_matchers(str(matcher))  # a bad expression under match_re is told here, not later
    return tuple(dict.fromkeys(found))


def _texts(term: Iterable[Matcher]) -> list[str]:
    return [str(matcher) for matcher in term]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
