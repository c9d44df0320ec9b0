"""Pages: which routes an incident's page takes, and the deeds that tell people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quell.core.context import incident_context, labels_of, rendered, top_suspect
from quell.errors import ExpressionError
from quell.expressions.matchers import Matching
from quell.model.alert import Alert
from quell.model.decision import Perform
from quell.model.incident import Incident
from quell.model.rulebook import Route
from quell.model.state import State

PAGE_TIMEOUT_S = 30.0
WORDING = frozenset({"text", "title", "summary", "message", "body", "description", "subject"})
"""Parameters that say what is the matter, and not to whom."""


class Routes:
    """The rulebook's routes. A route whose matchers cannot be compiled takes every page: none may be lost."""

    def __init__(self, routes: tuple[Route, ...], state: State) -> None:
        self._state = state
        self._routes = [(route, name, _matching(route)) for route, name in zip(routes, _names(routes), strict=True)]

    def pages(
        self, incident: Incident | None, alert: Alert | None, at: float, text: str, reason: str = "", *, only: str = ""
    ) -> list[Perform]:
        """One deed per route that matches, in the order of the file; with ``only``, for that one whatever it matches.

        The ledger key is ``page/incident/reason/route`` (the second route of a name is ``route-2``). Without an
        incident ``alert-<fingerprint>`` stands in its place, without a reason its version or the alert's episode.
        """
        if alert is None and incident is not None:
            alert = self._state.alerts.get(incident.page_alert or (incident.alerts or ("",))[0])
        labels = labels_of(incident, alert)
        about = incident.id if incident else f"alert-{alert.fingerprint}" if alert else "quell"
        number = incident.version if incident else alert.episode if alert else 1
        known = {
            "text": text,
            "incident": incident.id if incident else "",
            "title": incident.title if incident else alert.name if alert else "",
            "severity": labels.get("severity", ""),
        }
        place = f"page/{about}/{reason or number}"
        return [
            Perform(
                at=at,
                key=f"{place}/{name}",
                token=f"{place}/{name}",
                action=route.action,
                params=self._params(route, incident, known, labels, at),
                effect="tell",
                repeat="keyed",
                timeout_s=PAGE_TIMEOUT_S,
                incident=incident.id if incident else "",
            )
            for route, name, matching in self._routes
            if (name == only if only else matching is None or matching.matches(labels))
        ]

    def following(self, name: str) -> Route | None:
        """The route of that name if what it calls people for follows the incident."""
        return next((route for route, own, _ in self._routes if own == name and route.source), None)

    def told(self, route: Route, incident: Incident, at: float, action: str, key: str) -> Perform:
        """The deed that says how the incident stands, with the route's own parameters as far as the action has them."""
        labels = labels_of(incident, self._state.alerts.get(incident.page_alert or (incident.alerts or ("",))[0]))
        params = self._params(route, incident, {"text": "", "incident": incident.id}, labels, at)
        return Perform(
            at=at,
            key=key,
            token=key,
            action=action,
            params={name: value for name, value in params.items() if name in route.shared},
            effect="tell",
            repeat="state",
            timeout_s=PAGE_TIMEOUT_S,
            incident=incident.id,
        )

    @property
    def names(self) -> frozenset[str]:
        """What the routes are called."""
        return frozenset(name for _, name, _ in self._routes)

    def taken(self, alert: Alert) -> tuple[object, ...]:
        """Where a page for this alert alone goes: its routes, each with its parameters as far as labels decide them."""
        labels = labels_of(None, alert)
        return tuple(
            (name, *(_told(value, labels) for word, value in route.params.items() if word not in WORDING))
            for route, name, matching in self._routes
            if matching is None or matching.matches(labels)
        )

    def _params(
        self, route: Route, incident: Incident | None, known: Mapping[str, str], labels: Mapping[str, str], at: float
    ) -> dict[str, Any]:
        """The route's own parameters win; one that cannot be rendered is left out and said in the text."""
        context: dict[str, Any] = {**known, "labels": labels}
        if incident is not None:
            context |= incident_context(self._state, incident, top_suspect(incident), at)
        params: dict[str, Any] = dict(known)
        for name, value in route.params.items():
            try:
                params[name] = rendered(value, context)
            except ExpressionError as error:
                params["text"] = f'{params["text"]} (route "{route.name}": {name}: {error})'
        return params


def _names(routes: tuple[Route, ...]) -> list[str]:
    """The routes' names, made different: two pages with one ledger key would be one page."""
    names: list[str] = []
    for route in routes:
        name, number = route.name, 1
        while name in names:
            number += 1
            name = f"{route.name}-{number}"
        names.append(name)
    return names


def _told(value: Any, labels: Mapping[str, str]) -> str:
    """A parameter as far as labels decide it; all labels where it asks for more than them."""
    if "labels" not in (text := repr(value)):
        return text
    try:
        return repr(rendered(value, {"labels": labels}))
    except ExpressionError:
        return f"{text} {sorted(labels.items())}"


def _matching(route: Route) -> Matching | None:
    try:
        return Matching(route.matchers)
    except ExpressionError:
        return None
