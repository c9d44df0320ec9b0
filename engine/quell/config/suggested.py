"""Suggestions as a rules file: what `quell check` accepts, with the evidence in comments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from quell.model.habits import Suggestion

PLACES: Mapping[str, tuple[str, ...]] = {
    "dependency": ("topology", "dependencies"),
    "hold": ("triage", "rules"),
    "digest": ("triage", "rules"),
    "inhibit": ("inhibit",),
    "map": ("map",),
}
"""Where a suggestion of each kind stands in a rules file."""
_WIDTH = 116
_UNFOLDED = 1_000_000


def rules_file(suggestions: Sequence[Suggestion], head: str) -> str:
    """The text of a rules file. ``head`` becomes the comment at its top; without suggestions there is only that."""
    lines = [*_comment(head, "")]
    for one in suggestions:
        if one.kind == "threshold":  # another number in a rule that there is: the diff has it
            lines += ["", *_said(one, "")]
    by_place: dict[tuple[str, ...], list[Suggestion]] = {}
    for one in suggestions:
        if one.kind != "threshold":
            by_place.setdefault(PLACES[one.kind], []).append(one)
    for place, found in by_place.items():
        lines += ["", *(f"{'  ' * depth}{name}:" for depth, name in enumerate(place))]
        lines += entries(found, "  " * len(place))
    return "\n".join(lines) + "\n"


def entries(suggestions: Sequence[Suggestion], indent: str) -> Iterator[str]:
    """Lines of a list: each rule under comments that say how sure it is and what speaks for it."""
    for one in suggestions:
        yield from _said(one, indent)
        yield from _entry(one.rule, indent)


def _said(one: Suggestion, indent: str) -> Iterator[str]:
    for said in (f"{one.id}, {one.confidence:.0%} sure: {one.text}", *one.evidence):
        yield from _comment(said, indent)


def _entry(rule: Mapping[str, Any], indent: str) -> Iterator[str]:
    """One item of a list. Every text stands in quotes, so that nothing in it is read as anything else."""
    for at, (name, value) in enumerate(rule.items()):
        told = yaml.safe_dump(value, default_style='"', default_flow_style=True, width=_UNFOLDED).strip()
        yield f"{indent}{'- ' if at == 0 else '  '}{name}: {told}"


def _comment(text: str, indent: str) -> Iterator[str]:
    """Lines of a comment; what could end one is left out."""
    for line in text.split("\n"):
        rest = "".join(sign for sign in line if sign.isprintable())
        while rest:
            cut = rest if len(rest) <= _WIDTH else rest[:_WIDTH].rpartition(" ")[0] or rest[:_WIDTH]
            rest = rest[len(cut) :].strip()
            yield f"{indent}# {cut}"
