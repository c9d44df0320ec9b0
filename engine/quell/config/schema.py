"""JSON Schemas of our files for editors, made from the shapes and from what the installed connectors declare."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from quell.config.actions import DEEDS_BUILT_IN
from quell.config.built_in import BUILT_IN
from quell.config.chat_file import PeopleShape
from quell.config.playbook_file import PlaybookShape
from quell.config.profile_file import schema as profile_schema
from quell.config.rules_shape import RulesShape
from quell.config.settings_file import SettingsShape, TokensShape
from quell.config.sources import SourceShape
from quell.config.test_shapes import TrialShape
from quell.model.prediction import schema as prediction_schema
from quell.sdk.spec import ActionSpec, Option, Spec

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_REFERENCE = {"type": "string", "pattern": r"\$\{"}
_DURATION = {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d|w))+$"}
_TYPES: Mapping[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "path": {"type": "string"},
    "secret": {"type": "string", "pattern": "^(env|file):."},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "duration": _DURATION,
    "url": {"type": "string", "pattern": "^https?://"},
    "list": {"type": "array"},
    "mapping": {"type": "object"},
}


def schemas(specs: Mapping[str, Spec]) -> dict[str, dict[str, Any]]:
    """The schemas by name: config (quell.yaml), rules, playbook, test, tokens, people, profile and prediction.

    The ids of sources are the user's choice, so the actions of a connector are offered under its own name.
    """
    config = _schema(SettingsShape, "quell.yaml")
    config["properties"]["sources"]["additionalProperties"] = _source(specs)
    config["$defs"] |= _schema(SourceShape, "")["$defs"]
    actions = {f"{name}.{action.name}": action for name, spec in sorted(specs.items()) for action in spec.actions}
    config["$defs"]["PageShape"] |= _deed(actions, "to")
    playbook = _schema(PlaybookShape, "A playbook of quell")
    steps = {**BUILT_IN, **actions}
    playbook["$defs"]["StepShape"] |= _deed(steps, "do")
    deeds = {**{name: BUILT_IN[name] for name in sorted(DEEDS_BUILT_IN)}, **actions}
    playbook["$defs"]["DeedShape"] |= _deed(deeds, "do")
    for shape, known in (("StepShape", steps), ("DeedShape", deeds)):
        playbook["$defs"][shape]["properties"]["do"]["examples"] = list(known)
    return {
        "config": config,
        "rules": _schema(RulesShape, "Rules of quell"),
        "playbook": playbook,
        "test": _schema(TrialShape, "Tests of playbooks and rules of quell"),
        "tokens": _schema(TokensShape, "API tokens of quell"),
        "people": _schema(PeopleShape, "People of quell"),
        "profile": {"$schema": DIALECT, **profile_schema()},
        "prediction": {"$schema": DIALECT, **prediction_schema()},
    }


def _schema(shape: type[BaseModel], title: str) -> dict[str, Any]:
    shape.model_rebuild()
    schema = {"$schema": DIALECT, **shape.model_json_schema(by_alias=True)}
    schema.setdefault("$defs", {})
    schema["title"] = title
    for inner in _shapes(shape):
        part = schema if inner is shape else schema["$defs"].get(inner.__name__, {})
        part.pop("title", None) if inner is not shape else None
        for name, text in _descriptions(inner).items():
            field = inner.model_fields[name]
            properties = part.get("properties", {}).get(field.alias or name)
            if properties is not None:
                properties.pop("title", None)
                properties["description"] = text
    return schema


def _shapes(shape: type[BaseModel]) -> list[type[BaseModel]]:
    """The shape, those it is made from, and all those inside it."""
    found = [shape]
    for known in found:
        for field in known.model_fields.values():
            found += [inner for inner in _inside(field.annotation) if inner not in found]
    return found


def _inside(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in getattr(annotation, "__args__", ()) for found in _inside(part)]


def _descriptions(shape: type[BaseModel]) -> dict[str, str]:
    """The texts that stand under the fields in the source, those of the base classes first."""
    found: dict[str, str] = {}
    for base in reversed(shape.__mro__):
        if not issubclass(base, BaseModel) or not base.__module__.startswith("quell."):
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(tree, ast.ClassDef)
        for field, text in zip(tree.body, tree.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
                said = ast.literal_eval(text.value)
                found[field.target.id] = " ".join(str(said).split())
    return found


def _source(specs: Mapping[str, Spec]) -> dict[str, Any]:
    own = _schema(SourceShape, "")["properties"]
    own["use"] = {**own["use"], "enum": sorted(specs)}
    return {
        "type": "object",
        "required": ["use"],
        "properties": {"use": own["use"]},
        "allOf": [
            {
                "if": {"properties": {"use": {"const": name}}, "required": ["use"]},
                "then": {
                    "properties": {**own, **_options(spec.options)},
                    "required": [option.name for option in spec.options if option.required],
                    "additionalProperties": False,
                },
            }
            for name, spec in sorted(specs.items())
        ],
    }


def _deed(actions: Mapping[str, ActionSpec], verb: str) -> dict[str, Any]:
    """Completes the parameters of each action; required ones are left to ``quell check``, which knows the ids."""
    return {
        "allOf": [
            {
                "if": {"properties": {verb: {"const": name}}, "required": [verb]},
                "then": {
                    "properties": {
                        "with": {
                            "description": action.summary,
                            "properties": _options(action.params, templated=True),
                            "additionalProperties": False,
                        }
                    }
                },
            }
            for name, action in actions.items()
        ]
    }


def _options(options: Sequence[Option], *, templated: bool = False) -> dict[str, Any]:
    found = {}
    for option in options:
        schema: dict[str, Any] = dict(_TYPES[option.type])
        if templated and option.type == "secret":
            schema = {"type": "string"}
        if option.file:
            schema = {"anyOf": [schema, {"type": "string", "pattern": r"\.ya?ml$"}]}
        if option.choices:
            schema["enum"] = list(option.choices)
        if templated and (schema.get("type") != "string" or "enum" in schema or "pattern" in schema):
            schema = {"anyOf": [schema, _REFERENCE]}
        schema["description"] = option.summary
        if option.example:
            schema["examples"] = [option.example]
        found[option.name] = schema
    return found
