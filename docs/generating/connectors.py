"""Connectors and their actions, from each `Spec`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from generating.markdown import literal, slug, table
from quell.config.built_in import BUILT_IN
from quell.sdk.connector import Connector
from quell.sdk.registry import VERBS, load_connectors, offers
from quell.sdk.spec import ActionSpec, Option


def our_connectors() -> dict[str, type[Connector]]:
    """The connectors of this repository, by name; others may be installed beside them."""
    ours = (item for item in load_connectors().items() if item[1].__module__.split(".")[0] == "quell_connectors")
    return dict(sorted(ours))


def connectors_page() -> Iterator[str]:
    """One section a connector."""
    yield "# Connectors"
    yield ""
    yield (
        "A source in `quell.yaml` names one of these with `use`; its options stand beside it, and so do the keys that "
        "[every source has](config.md#sourcesid). Deliveries arrive at `/in/<id>`."
    )
    for name, connector in our_connectors().items():
        spec = connector.spec
        yield from ("", f"## {name}", "", spec.summary, "")
        verbs = [verb for verb in VERBS if verb in offers(connector)]
        yield f"Verbs: {', '.join(f'`{verb}`' for verb in verbs)}."
        if spec.paths:
            yield f"Paths besides `/in/<id>`: {', '.join(f'`{path}`' for path in spec.paths)}."
        yield from ("", *_options(spec.options)) if spec.options else ("", "It has no options of its own.")
        if spec.actions:
            links = (f"[`{name}.{action.name}`](actions.md#{slug(f'{name}.{action.name}')})" for action in spec.actions)
            yield from ("", f"Actions: {', '.join(links)}.")


def actions_page() -> Iterator[str]:
    """One section an action."""
    yield "# Actions"
    yield ""
    yield (
        "A step's `do` is the id of a source, a dot, and the action; below, the connector's name stands for the id. "
        "*Effect* read and tell need no guard, change does. *Repeat* says what happens when quell was stopped in the "
        "middle of an act: `state`, `keyed` and `lookup` make a second try harmless, after `never` a person is asked."
    )
    yield ""
    yield "What quell does by itself comes first, and needs no source."
    for action in BUILT_IN.values():
        yield from _action("", action)
    for name, connector in our_connectors().items():
        for action in connector.spec.actions:
            yield from _action(f"{name}.", action)


def _action(source: str, action: ActionSpec) -> Iterator[str]:
    yield from ("", f"## {source}{action.name}", "", action.summary, "")
    yield f"Effect: {action.effect}. Repeat: {action.repeat}."
    if action.before:
        yield f"Reads the state before with [`{source}{action.before}`](#{slug(f'{source}{action.before}')})."
    if action.undo:
        yield f"Undone by [`{source}{action.undo}`](#{slug(f'{source}{action.undo}')})."
    yield from ("", *_options(action.params)) if action.params else ("", "It takes no parameters.")


def _options(options: Sequence[Option]) -> Iterator[str]:
    rows = []
    for option in options:
        kind = " or ".join(f"`{choice}`" for choice in option.choices) or option.type
        meaning = option.summary + (f" Example: `{option.example}`." if option.example else "")
        rows.append((f"`{option.name}`", kind, _default_of(option), meaning))
    yield from table(("Name", "Type", "Default", "Meaning"), rows)


def _default_of(option: Option) -> str:
    if option.required:
        return "*required*"
    if option.default is None or option.default in ("", [], {}, ()):
        return ""
    return f"`{literal(option.default, is_duration=option.type == 'duration')}`"
