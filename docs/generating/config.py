"""What may stand in the files of a configuration, from the shapes that read them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from inspect import getsource
from itertools import pairwise
from textwrap import dedent
from typing import Any

from pydantic import BaseModel

from generating.markdown import literal, slug, table
from quell.config.chat_file import PeopleShape
from quell.config.fields import Shape
from quell.config.playbook_file import PlaybookShape
from quell.config.references import FIELDS, MEMBERS, STEP_FIELDS
from quell.config.rules_shape import RulesShape
from quell.config.settings_file import SettingsShape, TokensShape
from quell.config.sources import SourceShape
from quell.config.test_shapes import TrialShape


def config_page() -> Iterator[str]:
    """One section a mapping that may stand in a file."""
    yield "# Configuration files"
    yield ""
    yield (
        "A configuration is a directory: `quell.yaml`, optionally `tokens.yaml` and `people.yaml`, and any number of "
        "YAML files below `rules/` and `playbooks/`. Unknown and repeated keys are errors; `quell check DIR` shows all "
        "of them at once. "
        "Durations are written `90s`, `15m`, `1h30m`, `2d`; sizes `512kB`, `8MB`; matchers as in Alertmanager, "
        '`severity="critical"`, `team=~"db|web"`. Secrets never stand in a file: write `env:NAME` or `file:/path`.'
    )
    files: Sequence[tuple[str, type[BaseModel], str]] = (
        ("quell.yaml", SettingsShape, ""),
        ("sources.<id>", SourceShape, "In `quell.yaml`; the options of its [connector](connectors.md) stand beside."),
        ("tokens.yaml", TokensShape, "Written by `quell init`."),
        ("people.yaml", PeopleShape, "[Who acts from where people talk](../how-to/chat-commands.md)."),
        (
            "rules/*.yaml",
            RulesShape,
            "Kinds may be spread over files as you like; order within a kind is by file name.",
        ),
        ("playbooks/*.yaml", PlaybookShape, "One playbook a file."),
        (
            "*.test.yaml",
            TrialShape,
            "Below `playbooks/` or `rules/`; `quell test` runs them: [how](../how-to/test-playbooks.md).",
        ),
    )
    for name, shape, more in files:
        yield from _file(name, shape, more)
    yield from _names()


_MEANING: Mapping[str, str] = {
    "incident": "The incident as it is now; `age` is a duration, `version` grows with what people decide by.",
    "suspect": "The first suspect when the run began; `service` is its name. Empty where nothing is suspected.",
    "change": "The same as `suspect.change`. `previous` and `revision` are missing where they are not known.",
    "alert": "The alert that begins the playbook, with `when: {alert: …}` only.",
    "playbook": "The playbook itself.",
    "run": "The run; `error` once it failed.",
    "drift": "Of the first alert that spoke of drift when the run began; what it did not say is missing. "
    "`histograms` has a line of text for each column, before → after.",
}


_LISTS = {
    ("alerts",): "The incident's, by onset, 300 at most; the same as `incident.alerts`.",
    ("incident", "suspects"): "Ranked, 5 at most. `kind` is the type of the change that is blamed, else `entity`.",
    (
        "incident",
        "evidence",
    ): "What speaks for (`weight` above 0, in nats) and against each suspect, the first suspect's (`rank` 1) first.",
    ("incident", "changes"): "Of what alerts, is suspected or lies between, from a day before the first alert: those "
    "under suspicion first, then the nearest in time, 20 at most. `before_s` is how long before the first alert, "
    "`suspicion` the confidence of the suspect that it is blamed with, else 0.",
    ("suspect", "evidence"): "Of this suspect alone, as it is now; `points_for` and `points_against` are its texts.",
}


def _listed(fields: frozenset[str]) -> str:
    return ", ".join(f"`{field}`" for field in sorted(fields))


def _names() -> Iterator[str]:
    """The names that expressions may use."""
    yield from ("", "## Names in expressions", "")
    yield (
        "Conditions (`if`, `check`, `until`, `unless`, `each`) are CEL, and so is what stands in `${…}`. In a "
        'condition a label that is missing is ""; any other name that is missing makes the condition untold, which '
        "counts as false where a playbook is chosen and fails a step."
    )
    rows = [
        (f"`{root}`", ", ".join(f"`{field}`" for field in sorted(fields)), _MEANING[root])
        for root, fields in FIELDS.items()
    ]
    rows += [
        *((f"`{'.'.join(path)}[]`", _listed(MEMBERS[path]), meaning) for path, meaning in _LISTS.items()),
        ("`now`", "", "The time."),
        ("`vars`", "yours", "The variables of the playbook; each is also a name of its own."),
        ("`steps.<id>`", ", ".join(f"`{field}`" for field in sorted(STEP_FIELDS)), "An earlier step."),
        ("`result`", "as the action answers", "In `check`, and in `until` of a wait with a `query`."),
        ("`item`", "", "In a step with `for_each`."),
        ("`before`", "as the action reads", "In `undo` of a step whose action reads the state before."),
        (
            "`catalog.KIND(name)`",
            "its labels, `entity`, `kind`, `name`, `owner`, `tier`",
            "What is known of an entity.",
        ),
        ("`NAME.NAME(…)`", "", "A measure of the rules; in `if` and `check` of steps and in `until` only."),
    ]
    yield from ("", *table(("Name", "Fields", "Meaning"), rows))


def _file(name: str, shape: type[BaseModel], more: str) -> Iterator[str]:
    schema = shape.model_json_schema(by_alias=True)
    defs: Mapping[str, Any] = schema.get("$defs", {})
    headings: dict[str, str] = {}
    for inner, path in _headings("", schema, defs):
        headings.setdefault(inner, path)
    yield from ("", f"## {name}", "", schema.get("description", ""), *([more] if more else []))
    yield from ("", *_keys(schema, defs, headings))
    for found, path in headings.items():
        yield from ("", f"### {path}", "", defs[found].get("description", ""), "", *_keys(defs[found], defs, headings))


def _headings(path: str, schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every mapping below a mapping with the path of its first place, depth first."""
    for key, value in schema.get("properties", {}).items():
        for number, (name, many) in enumerate(_references(value)):
            below = f"{path}{key}{many}" + (f" ({name.removesuffix('Shape').lower()})" if number else "")
            yield name, below
            yield from _headings(f"{below}.", defs[name], defs)


def _references(node: Mapping[str, Any]) -> list[tuple[str, str]]:
    """All definitions that a node refers to: several where a list holds mappings of different kinds."""
    items = node.get("items")
    kinds = items.get("oneOf", ()) if isinstance(items, dict) else ()
    if kinds:
        return [(name, "[]") for kind in kinds if (found := _reference(kind)) is not None for name in found[:1]]
    found = _reference(node)
    return [] if found is None else [found]


def _reference(node: Mapping[str, Any]) -> tuple[str, str] | None:
    """The definition that a node refers to, and "[]" or ".<name>" when it holds many of them."""
    if "$ref" in node:
        return str(node["$ref"]).rpartition("/")[2], ""
    for inner, many in ((node.get("items"), "[]"), (node.get("additionalProperties"), ".<name>")):
        if isinstance(inner, dict) and "$ref" in inner:
            return str(inner["$ref"]).rpartition("/")[2], many
    return next((found for option in node.get("anyOf", ()) if (found := _reference(option)) is not None), None)


def _keys(schema: Mapping[str, Any], defs: Mapping[str, Any], headings: Mapping[str, str]) -> Iterator[str]:
    required = schema.get("required", ())
    texts = texts_under_fields().get(schema.get("title", ""), {})
    rows = []
    for key, node in schema.get("properties", {}).items():
        meaning = node.get("description", "") or texts.get(key, "")
        if not meaning and len(found := _references(node)) == 1:
            meaning = defs[found[0][0]].get("description", "")
        default = "*required*" if key in required else _default(node)
        rows.append((f"`{key}`", _type(node, headings), default, " ".join(meaning.split())))
    yield from table(("Key", "Type", "Default", "Meaning"), rows)


@cache
def texts_under_fields() -> dict[str, dict[str, str]]:
    """The texts that stand under the fields of each shape, by its name and the key in the file.

    pydantic could read them itself, but would do so whenever the daemon starts.
    """
    found: dict[str, dict[str, str]] = {}
    for shape in _shapes(Shape):
        (declared,) = ast.parse(dedent(getsource(shape))).body
        assert isinstance(declared, ast.ClassDef)
        texts = found[shape.__name__] = dict(found.get(shape.__mro__[1].__name__, {}))
        for field, text in pairwise(declared.body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
                name = field.target.id
                key = shape.model_fields[name].alias or name
                texts[key] = str(getattr(text.value, "value", ""))
    return found


def _shapes(base: type[Shape]) -> Iterator[type[Shape]]:
    for shape in base.__subclasses__():
        yield shape
        yield from _shapes(shape)


def _type(node: Mapping[str, Any], headings: Mapping[str, str]) -> str:
    if "$ref" in node:
        path = headings[str(node["$ref"]).rpartition("/")[2]]
        return f"[{path}](#{slug(path)})"
    if "anyOf" in node or "oneOf" in node:
        options = node.get("anyOf") or node["oneOf"]
        return " or ".join(_type(option, headings) for option in options if option.get("type") != "null")
    if "enum" in node:
        return " or ".join(f"`{choice}`" for choice in node["enum"])
    if "const" in node:
        return f"`{literal(node['const'])}`"
    if node.get("type") == "array":
        return f"list of {_type(node.get('items', {}), headings)}"
    if node.get("type") == "object":
        inner = node.get("additionalProperties")
        return f"mapping to {_type(inner, headings)}" if isinstance(inner, dict) and inner else "mapping"
    return _scalar(node)


def _scalar(node: Mapping[str, Any]) -> str:
    pattern, examples = str(node.get("pattern", "")), node.get("examples", [])
    if _is_duration(node):
        return "duration"
    if _is_size(node):
        return "size"
    if "[01]" in pattern:
        return "time of day"
    if any("=" in str(example) for example in examples):
        return "matchers"
    if node.get("format") == "date-time":
        return "time"
    return {"string": "text", "boolean": "`true` or `false`"}.get(str(node.get("type")), str(node.get("type", "any")))


def _is_duration(node: Mapping[str, Any]) -> bool:
    return "ms|s|m|h|d|w" in str(node.get("pattern", ""))


def _is_size(node: Mapping[str, Any]) -> bool:
    return "[kKMG]B" in str(node.get("pattern", ""))


def _default(node: Mapping[str, Any]) -> str:
    default = node.get("default")
    if default is None or default in ("", [], {}) or isinstance(default, dict):
        return ""
    if isinstance(default, (list, tuple)):
        if node.get("type") == "string":
            return f"`{':'.join(map(str, default))}`"
        return ", ".join(f"`{literal(item)}`" for item in default)
    if _is_size(node):
        return f"`{default // 1_000_000}MB`" if default % 1_000_000 == 0 else f"`{default}B`"
    return f"`{literal(default, is_duration=_is_duration(node))}`"
