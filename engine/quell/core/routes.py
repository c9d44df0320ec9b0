"""Pages: which routes an incident's page takes, and the deeds that tell people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from quell.core.called import WORDING, Called, Matter, called_by, place_of
from quell.core.context import incident_context, labels_of, rendered, top_suspect, with_others
from quell.core.rota import on_call
from quell.core.wanted import Wanted, is_early, is_listed
from quell.errors import ExpressionError
from quell.expressions.matchers import Matching
from quell.expressions.on_demand import OnDemand
from quell.model.alert import Alert
from quell.model.decision import Perform, Quietly
from quell.model.incident import Incident
from quell.model.oncall import Chain, Stage
from quell.model.rulebook import Route, Rulebook
from quell.model.state import State

PAGE_TIMEOUT_S = 30.0


class Routes:
    """The rulebook's routes. A route whose matchers cannot be compiled takes every page: none may be lost."""

    def __init__(self, rulebook: Rulebook, state: State) -> None:
        self._state = state
        self._triage = rulebook.triage
        self._routes = [
            (route, name, _matching(route), Wanted(route, state))
            for route, name in zip(rulebook.routes, _names(rulebook.routes), strict=True)
        ]
        self._chains = {chain.name: chain for chain in rulebook.chains}
        self._rotas = {rota.name: rota for rota in rulebook.rotas}
        self._contacts = rulebook.contacts

    def pages(
        self, incident: Incident | None, alert: Alert | None, at: float, text: str, reason: str = "", *, only: str = ""
    ) -> list[Perform]:
        """One deed per route that matches, in the order of the file; with ``only``, for that one whatever it matches.

        The ledger key is ``page/incident/reason/route`` (the second route of a name is ``route-2``). Without an
        incident ``alert-<fingerprint>`` stands in its place, without a reason its version or the alert's episode.
        Of a route along a chain these are the deeds of the first step that tells anybody.
        """
        alert = self._alert(incident, alert)
        about, place = Matter(incident, alert, at, text, reason), place_of(incident, alert, reason)
        deeds: list[Perform] = []
        for route, name in self._taking(incident, alert, at, only):
            if not route.chain:
                deeds += self._deed(Called(name, route), f"{place}/{name}", about)
            elif f"{place}/{route.chain}/1" not in {deed.key.rpartition("/")[0] for deed in deeds}:
                deeds += self.step(self._chains[route.chain], 0, place, about)[1]
        return deeds

    def chains(self, incident: Incident, alert: Alert | None, at: float) -> list[tuple[Chain, str]]:
        """The chains that an incident's page goes along now, each with the route that leads there."""
        found: dict[str, tuple[Chain, str]] = {}
        for route, name in self._taking(incident, self._alert(incident, alert), at):
            if route.chain:
                found.setdefault(route.chain, (self._chains[route.chain], name))
        return list(found.values())

    @property
    def chain_names(self) -> tuple[str, ...]:
        """What the chains are called, in the order of the files."""
        return tuple(self._chains)

    def chain(self, name: str) -> Chain | None:
        """The chain of that name."""
        return self._chains.get(name)

    def quietly(self, incident: Incident, alert: Alert | None, at: float) -> Quietly:
        """Whether an incident's page takes quiet routes only now, and whether those tell anybody."""
        if not self.early(incident):
            return ""
        quiet = [route for route, _ in self._taking(incident, self._alert(incident, alert), at) if route.early]
        if not quiet:
            return "listed" if is_listed(self._state, self._triage, incident) else ""
        return "told" if any(route.action or route.chain for route in quiet) else "listed"

    def whom(self, incident: Incident, alert: Alert | None, at: float) -> frozenset[object]:
        """Where an incident's page goes: its routes, each with its parameters as far as labels decide them."""
        alert = self._alert(incident, alert)
        labels = labels_of(incident, alert)
        return frozenset(
            (name, *(_told(value, labels) for word, value in route.params.items() if word not in WORDING))
            for route, name in self._taking(incident, alert, at)
        )

    def early(self, incident: Incident) -> bool:
        """Whether an incident is an early sign only."""
        return is_early(self._state, self._triage, incident)

    def step(self, chain: Chain, number: int, place: str, about: Matter) -> tuple[int, list[Perform]]:
        """The deeds of the first step of a chain from ``number`` on (counted on over repeats) that tells anybody.

        With the number of the step after it. Nobody is told twice for one step.
        """
        for ahead in range(len(chain.stages)):
            stage = chain.stages[(number + ahead) % len(chain.stages)]
            people = self._people(stage, about.at)
            if not people and stage.names_people:
                continue
            key = f"{place}/{chain.name}/{number + ahead + 1}"
            return number + ahead + 1, [
                deed
                for person in people or [""]
                for deed in self._to(chain, stage, person, f"{key}/{person or 'all'}", about)
            ]
        # Nobody is anybody's: better an act that tells no person in particular than a page that is lost.
        stage = chain.stages[number % len(chain.stages)]
        return number + 1, self._to(chain, stage, "", f"{place}/{chain.name}/{number + 1}/all", about)

    def _people(self, stage: Stage, at: float) -> list[str]:
        """Whom a step tells, each once."""
        rota = self._rotas.get(stage.rota)
        return list(dict.fromkeys((*([on_call(rota, at)] if rota is not None else []), *stage.people)))

    def _to(self, chain: Chain, stage: Stage, person: str, key: str, about: Matter) -> list[Perform]:
        return self._deed(called_by(chain, stage, person), key, about, person)

    def _known(self, person: str) -> dict[str, Any]:
        """What ``${oncall.…}`` gives of somebody."""
        return {"name": person, "id": person, **self._contacts.get(person, {})} if person else {}

    def _alert(self, incident: Incident | None, alert: Alert | None) -> Alert | None:
        if alert is None and incident is not None:
            return self._state.alerts.get(incident.page_alert or (incident.alerts or ("",))[0])
        return alert

    def _taking(
        self, incident: Incident | None, alert: Alert | None, at: float, only: str = ""
    ) -> list[tuple[Route, str]]:
        """The routes that take a page, in order. Early signs take early routes alone, where there are any for them."""
        if only:
            return [(route, name) for route, name, _, _ in self._routes if name == only]
        labels = labels_of(incident, alert)
        severity = labels.get("severity", "")
        taking = [
            (route, name)
            for route, name, matching, wanted in self._routes
            if (matching is None or matching.matches(labels)) and wanted.fits(incident, alert, severity, at)
        ]
        quiet = [(route, name) for route, name in taking if route.early]
        if not quiet:
            return [] if incident is not None and is_listed(self._state, self._triage, incident) else taking
        if incident is not None and is_early(self._state, self._triage, incident):
            return quiet
        return [(route, name) for route, name in taking if not route.early] or quiet

    def _deed(self, called: Called, key: str, about: Matter, person: str = "") -> list[Perform]:
        route = called.route
        if not route.action:
            return []
        oncall = self._known(person or called.person) if called.chain else None
        incident, alert = about.incident, about.alert
        labels = labels_of(incident, alert)
        known = {
            "text": about.text,
            "incident": incident.id if incident else "",
            "title": incident.title if incident else alert.name if alert else "",
            "severity": labels.get("severity", ""),
        }
        return [
            Perform(
                at=about.at,
                key=key,
                token=key,
                action=route.action,
                params=self._params(route, incident, known, labels, about.at, oncall=oncall),
                effect="tell",
                repeat="keyed",
                timeout_s=PAGE_TIMEOUT_S,
                lane=about.lane(called.name),
                incident=incident.id if incident else "",
            )
        ]

    def following(self, name: str) -> Called | None:
        """Where people are called so if that follows the incident: a route, or a step of a chain."""
        called = self.called(name)
        return called if called is not None and called.route.source else None

    def called(self, name: str) -> Called | None:
        """Where people are called so: by a route, or by a step of a chain."""
        for route, own, _, _ in self._routes:
            if own == name and not route.chain:
                return Called(own, route)
        chain, _, rest = name.partition("/")
        number, _, person = rest.partition("/")
        known = self._chains.get(chain)
        if known is None or not number.isdecimal() or not 0 < int(number) <= len(known.stages):
            return None
        stage = known.stages[int(number) - 1]
        return called_by(known, stage, "" if person == "all" else person)

    def at_its_turn(self, called: Called, incident: str, at: float) -> bool:
        """Whether people are called there as long as an incident is open: of a chain, at the step where it stands."""
        chain, climb = self._chains.get(called.chain), self._state.climbs.get(f"{incident}/{called.chain}")
        if chain is None:
            return not called.chain
        if climb is None:
            return False
        stage = chain.stages[(max(climb.told, 1) - 1) % len(chain.stages)]
        people = self._people(stage, at) or [""]
        return any(called_by(chain, stage, person).name == called.name for person in people)

    def along_a_chain(self, deed: Perform) -> bool:
        """Whether a page is a step of a chain, which ends with an acknowledgement; what a run asks is none."""
        chain = deed.lane.removeprefix(f"{deed.incident}/").partition("/")[0]
        return not deed.run and chain in self._chains and f"/{chain}/" in deed.token

    def call(self, called: Called, about: Matter, key: str) -> list[Perform]:
        """The deed that calls people there whatever the route would take."""
        alert = self._alert(about.incident, about.alert)
        return self._deed(called, key, replace(about, alert=alert))

    def told(self, called: Called, incident: Incident, at: float, action: str, key: str) -> Perform:
        """The deed that says how the incident stands, with the route's own parameters as far as the action has them."""
        route = called.route
        labels = labels_of(incident, self._alert(incident, None))
        oncall = self._known(called.person) if called.chain else None
        params = self._params(route, incident, {"text": "", "incident": incident.id}, labels, at, oncall=oncall)
        return Perform(
            at=at,
            key=key,
            token=key,
            action=action,
            params={name: value for name, value in params.items() if name in route.shared},
            effect="tell",
            repeat="state",
            timeout_s=PAGE_TIMEOUT_S,
            lane=f"{incident.id}/{called.name}",
            incident=incident.id,
        )

    @property
    def names(self) -> frozenset[str]:
        """What the routes are called."""
        return frozenset(name for _, name, _, _ in self._routes)

    def taken(self, alert: Alert) -> tuple[object, ...]:
        """Where a page for this alert alone goes: its routes, each with its parameters as far as labels decide them."""
        labels = labels_of(None, alert)
        return tuple(
            (name, *(_told(value, labels) for word, value in route.params.items() if word not in WORDING))
            for route, name, matching, wanted in self._routes
            if (matching is None or matching.matches(labels)) and wanted.fits(None, alert, alert.severity, None)
        )

    def _params(
        self,
        route: Route,
        incident: Incident | None,
        known: Mapping[str, str],
        labels: Mapping[str, str],
        at: float,
        *,
        oncall: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The route's own parameters win; one that cannot be rendered is left out and said in the text."""
        if not route.params:
            return dict(known)
        context = OnDemand({}, {})
        if incident is not None:
            context = incident_context(self._state, incident, top_suspect(incident), at)
        with_others(context, {**known, "labels": labels})
        if oncall is not None:
            context["oncall"] = oncall
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
