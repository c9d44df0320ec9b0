"""Plain values as YAML text that reads the same here: every text quoted where anything else could be read in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_UNQUOTED_NEVER = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_UNFOLDED = 1_000_000
_WIDTH = 116


def as_yaml(value: Mapping[str, Any]) -> str:
    """A mapping as block YAML. Short lists of texts stay on their line."""
    return "".join(f"{line}\n" for line in _mapping(value, ""))


def comment(text: str, indent: str = "") -> list[str]:
    """Lines of a comment; what could end one is left out."""
    lines = []
    for line in text.split("\n"):
        rest = "".join(sign for sign in line if sign.isprintable())
        while rest:
            cut = rest if len(rest) <= _WIDTH else rest[:_WIDTH].rpartition(" ")[0] or rest[:_WIDTH]
            rest = rest[len(cut) :].strip()
            lines.append(f"{indent}# {cut}")
    return lines


def _mapping(value: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, item in value.items():
        key = _text(str(name))
        if isinstance(item, Mapping) and item:
            yield f"{indent}{key}:"
            yield from _mapping(item, indent + "  ")
        elif _is_list(item) and item and not _short(item):
            yield f"{indent}{key}:"
            yield from _list(item, indent + "  ")
        else:
            yield f"{indent}{key}: {_inline(item)}"


def _list(value: Sequence[Any], indent: str) -> Iterator[str]:
    for item in value:
        if isinstance(item, Mapping) and item:
            first, *rest = list(_mapping(item, indent + "  "))
            yield f"{indent}- {first.lstrip()}"
            yield from rest
        else:
            yield f"{indent}- {_inline(item)}"


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _short(value: Sequence[Any]) -> bool:
    return all(not isinstance(item, (Mapping, list, tuple)) for item in value) and len(_inline(value)) < 90


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{}"
    if _is_list(value):
        return f"[{', '.join(_inline(item) for item in value)}]"
    return _text(value) if isinstance(value, str) else str(yaml.safe_dump(value)).removesuffix("\n...\n").strip()


def _text(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _UNQUOTED_NEVER:
        return value
    return str(yaml.safe_dump(value, default_style='"', allow_unicode=True, width=_UNFOLDED)).strip()
