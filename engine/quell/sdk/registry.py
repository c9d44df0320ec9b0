"""Finds connectors by entry point, so that one in a package of its own is as good as one of ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from inspect import isclass

from quell.errors import Problem
from quell.sdk.connector import Acts, Asks, Connector, Pulls, Recalls, Receives, Serves
from quell.sdk.spec import Spec

GROUP = "quell.connectors"
VERBS = {"receive": Receives, "serve": Serves, "pull": Pulls, "ask": Asks, "recall": Recalls, "act": Acts}
"""What a connector class may offer, by the name of the method."""


@dataclass(frozen=True, slots=True)
class Found:
    """Connector classes by name, and what is wrong with the entry points that gave none."""

    connectors: Mapping[str, type[Connector]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def find_connectors(points: Iterable[EntryPoint] | None = None) -> Found:
    """Loads every installed connector (or the given entry points). A broken one is a problem and stops no other."""
    connectors: dict[str, type[Connector]] = {}
    problems: list[Problem] = []
    found = entry_points(group=GROUP) if points is None else points
    for point in sorted(found, key=lambda point: (point.name, point.value)):
        place = f'connector "{point.name}" ({point.value})'
        try:
            loaded = point.load()
        except Exception as error:  # noqa: BLE001 -- somebody else's module may fail in any way
            problems.append(Problem(place, 0, 0, f"cannot be loaded: {type(error).__name__}: {error}"))
            continue
        wrong = _wrong_with(point.name, loaded)
        if not wrong and connectors.get(point.name, loaded) is not loaded:
            wrong = "the name is taken by another installed package; uninstall one of them"
        if wrong:
            problems.append(Problem(place, 0, 0, wrong))
        else:
            connectors[point.name] = loaded
    return Found(connectors, tuple(problems))


def _wrong_with(name: str, loaded: object) -> str:
    if not isclass(loaded):
        return "is not a class; the entry point must name the connector class"
    spec = getattr(loaded, "spec", None)
    if not isinstance(spec, Spec):
        return f'{loaded.__name__} has no "spec"; set it to a quell.sdk.spec.Spec'
    if spec.name != name:
        return f'its spec is named "{spec.name}"; entry point and spec must have the same name'
    if not offers(loaded):
        return f"{loaded.__name__} has none of the methods {', '.join(VERBS)}; it could do nothing"
    if spec.actions and "act" not in offers(loaded):
        return f'{loaded.__name__} declares actions but has no method "act"'
    return ""


def offers(connector: type[object]) -> frozenset[str]:
    """The verbs a connector class has: receive, serve, pull, ask, recall, act."""
    return frozenset(verb for verb in VERBS if callable(getattr(connector, verb, None)))


def load_connectors() -> dict[str, type[Connector]]:
    """The connectors that work, by name; `find_connectors` also tells what is wrong with the others."""
    return dict(find_connectors().connectors)


def specs() -> dict[str, Spec]:
    """The declaration of each connector that works, by name."""
    return {name: connector.spec for name, connector in load_connectors().items()}
