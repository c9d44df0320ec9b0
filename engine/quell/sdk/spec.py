"""What a connector declares once; decoding, lint, docs and schema come from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from quell.model.playbook import Effect, Repeat

OptionType = Literal["text", "secret", "integer", "number", "boolean", "duration", "url", "path", "list", "mapping"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One option of a connector or one parameter of an action.

    Decoded types: text, url, path → str; secret → `Secret`; integer → int; number → float; boolean → bool;
    duration → float seconds; list → list; mapping → dict. ``choices`` restricts text. ``language`` names the query
    language that a text is in ("PromQL"): what a playbook puts into it may not end a quotation there.
    With ``file`` a mapping may also stand in a YAML file of its own, whose path is given instead.
    """

    name: str
    type: OptionType
    summary: str
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()
    example: str = ""
    file: bool = False
    language: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionSpec:
    """One thing a connector can do.

    ``effect`` read, tell or change; only change needs a guard. ``repeat`` says what a crash in the middle allows:
    "state" (sets a state: repeat it), "keyed" (the target honours our key: repeat it), "lookup" (`act` looks for
    its own mark first: repeat it), "never" (ask a person). ``undo`` names the action that takes it back. ``before``
    names a ``read`` action of the same connector that is asked for the state before a change, with those of the
    parameters that it declares: its output says whether the wanted state is there ``already``, and holds what the undo
    needs, under the names of the undo action's parameters. Of an action that calls people, ``taken`` and ``over`` name
    those of the same connector that say there that somebody took it, and that it is over: a page can follow its
    incident then.
    """

    name: str
    summary: str
    params: tuple[Option, ...] = ()
    effect: Effect = "change"
    repeat: Repeat = "never"
    undo: str = ""
    before: str = ""
    taken: str = ""
    over: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spec:
    """A connector's name, options and actions. ``paths`` are the HTTP paths it owns besides ``/in/<source-id>``."""

    name: str
    summary: str
    options: tuple[Option, ...] = ()
    actions: tuple[ActionSpec, ...] = ()
    paths: tuple[str, ...] = ()

    def action(self, name: str) -> ActionSpec | None:
        """The action of that name, or None."""
        return next((action for action in self.actions if action.name == name), None)
