"""Dictionaries some of whose values cost something, and are made only for whoever asks for them."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, Set, ValuesView
from typing import Any


def _cut(value: Any, fields: Set[str]) -> Any:
    if isinstance(value, list):
        return [_cut(item, fields) for item in value]
    return (
        {name: _cut(inner, fields) for name, inner in value.items() if name in fields}
        if isinstance(value, dict)
        else value
    )


class OnDemand(dict[str, Any]):
    """What is ``known``, and what ``makers`` make once it is asked for; whoever goes through it has all of it made.

    The evaluator of expressions reads the memory of a dictionary, past all of this: it is given `only` what it needs.
    """

    def __init__(self, known: Mapping[str, Any], makers: Mapping[str, Callable[[], Any]]) -> None:
        super().__init__(known)
        self._makers = dict(makers)

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self._makers

    def __missing__(self, name: str) -> Any:
        value = self[name] = self._makers[name]()
        return value

    def get(self, name: str, default: Any = None) -> Any:
        """As of any dictionary."""
        return self[name] if name in self else default  # noqa: SIM401 - the dictionary's own makes nothing

    def only(self, names: Set[str], fields: Set[str] | None = None) -> dict[str, Any]:
        """A plain dictionary of what is known, with those of ``names`` made that are made on demand.

        Of the members of their lists only ``fields`` are kept, where they are said.
        """
        made = {name: self[name] for name in self._makers if name in names}
        if fields is not None:
            made = {name: _cut(value, fields) for name, value in made.items()}
        return {**{name: dict.__getitem__(self, name) for name in dict.keys(self) if name not in made}, **made}

    def _whole(self) -> None:
        for name in self._makers:
            if not super().__contains__(name):
                self[name] = self._makers[name]()

    def __iter__(self) -> Iterator[str]:
        self._whole()
        return super().__iter__()

    def __len__(self) -> int:
        self._whole()
        return super().__len__()

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        """All names; everything is made."""
        self._whole()
        return super().keys()

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        """All values."""
        self._whole()
        return super().values()

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        """All names and values."""
        self._whole()
        return super().items()
