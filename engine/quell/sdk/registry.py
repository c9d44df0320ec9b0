"""Finds connectors by entry point, so that one in a package of its own is as good as one of ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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


class Installed(Mapping[str, type[Connector]]):
    """The installed connectors by name, each imported when it is asked for: who uses three does not wait for fifty.

    One that is broken is not there, and ``problems`` says why once it was asked for. To go over all loads all.
    """

    def __init__(self, points: Iterable[EntryPoint]) -> None:
        self._points: dict[str, list[EntryPoint]] = {}
        for point in sorted(points, key=lambda point: (point.name, point.value)):
            self._points.setdefault(point.name, []).append(point)
        self._known: dict[str, type[Connector] | None] = {}
        self._problems: dict[str, list[Problem]] = {}

    def __getitem__(self, name: str) -> type[Connector]:
        if name not in self._known and name in self._points:
            self._known[name], self._problems[name] = _loaded(self._points[name])
        found = self._known.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._points if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with those that were asked for so far, by name."""
        return tuple(problem for name in sorted(self._problems) for problem in self._problems[name])

    @property
    def specs(self) -> Mapping[str, Spec]:
        """What they declare, by name; as with the connectors, only what is asked for is imported."""
        return _Specs(self)


class _Specs(Mapping[str, Spec]):
    def __init__(self, connectors: Mapping[str, type[Connector]]) -> None:
        self._connectors = connectors

    def __getitem__(self, name: str) -> Spec:
        return self._connectors[name].spec

    def __iter__(self) -> Iterator[str]:
        return iter(self._connectors)

    def __len__(self) -> int:
        return len(self._connectors)


def installed(points: Iterable[EntryPoint] | None = None) -> Installed:
    """The installed connectors (or those of the given entry points), none of which is imported yet."""
    return Installed(entry_points(group=GROUP) if points is None else points)


def find_connectors(points: Iterable[EntryPoint] | None = None) -> Found:
    """Loads every installed connector (or the given entry points). A broken one is a problem and stops no other."""
    connectors = installed(points)
    return Found(dict(connectors), connectors.problems)


def _loaded(points: Sequence[EntryPoint]) -> tuple[type[Connector] | None, list[Problem]]:
    """The connector that the entry points of one name give, and what is wrong with them."""
    found: type[Connector] | None = None
    problems: list[Problem] = []
    for point in points:
        place = f'connector "{point.name}" ({point.value})'
        try:
            loaded = point.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 -- somebody else's module may fail in any way, or end programs
            problems.append(Problem(place, 0, 0, f"cannot be loaded: {type(error).__name__}: {error}"))
            continue
        wrong = _wrong_with(point.name, loaded)
        if not wrong and found not in {None, loaded}:
            wrong = "the name is taken by another installed package; uninstall one of them"
        if wrong:
            problems.append(Problem(place, 0, 0, wrong))
        else:
            found = loaded
    return found, problems


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
    return dict(installed())


def specs() -> dict[str, Spec]:
    """The declaration of each connector that works, by name."""
    return dict(installed().specs)
