"""Which actions playbooks and pages may name, and whether what they are given fits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from quell.config.built_in import BUILT_IN
from quell.config.complaints import did_you_mean
from quell.config.nodes import Document, Path
from quell.config.options import Fault, decode_options
from quell.config.references import Known, check_templates
from quell.config.sources import Instances
from quell.errors import Problem
from quell.sdk.spec import ActionSpec

DEEDS_BUILT_IN = frozenset({"incident.note", "escalate"})
"""What quell itself does that may also follow a failure."""


@dataclass(frozen=True, slots=True)
class Actions:
    """The actions of the configured sources, by full name (``id.verb``)."""

    instances: Instances

    def names(self) -> list[str]:
        """Every action there is here."""
        named = [
            f"{name}.{action.name}" for name, spec in self.instances.all().items() if spec for action in spec.actions
        ]
        return sorted([*named, *BUILT_IN])

    def find(self, name: str) -> ActionSpec | None:
        """The declaration of an action, or None."""
        if name in BUILT_IN:
            return BUILT_IN[name]
        source, _, verb = name.partition(".")
        spec = self.instances.spec(source)
        return spec.action(verb) if spec else None

    def check(
        self,
        document: Document,
        path: Path,
        deed: Mapping[str, Any],
        problems: list[Problem],
        *,
        known: Known,
        verb: str = "do",
        given: frozenset[str] = frozenset(),
        built_in: bool | Collection[str] = True,
        inside: str = "with",
    ) -> ActionSpec | None:
        """Checks ``{do: …, with: {…}}``: the action, its parameters, its references. Gives the declaration if found.

        ``given`` are parameters that quell fills in itself and that may be left out; ``built_in`` says which actions
        of quell itself there are here, ``inside`` under which key the parameters stand.
        """
        raw = deed.get(inside)
        params = raw if isinstance(raw, dict) else {}
        check_templates(document, (*path, inside), params, known, problems)
        name = deed.get(verb)
        if not isinstance(name, str):
            return None
        here = built_in if isinstance(built_in, bool) else name in built_in
        spec = self.find(name) if here or name not in BUILT_IN else None
        if spec is None:
            problem = self._unknown(document, (*path, verb), name)
            if problem is not None:
                problems.append(problem)
            return None
        _, faults = decode_options(spec.params, params, skip=_is_template, word="parameter")
        problems.extend(
            _misfit(document, (path, verb, inside), name, fault, missing=fault.name not in params)
            for fault in faults
            if fault.name not in given or fault.name in params
        )
        return spec

    def _unknown(self, document: Document, path: Path, name: str) -> Problem | None:
        if not self.instances.known:
            return None
        source, dot, _ = name.partition(".")
        if name in BUILT_IN:
            return document.problem(path, f'unknown action "{name}" here', "quell does that as a step of its own only")
        if self.instances.has(source) and self.instances.spec(source) is None:
            return None  # its connector is unknown, which is said at its place
        message = f'unknown action "{name}"'
        if dot and not self.instances.has(source):
            near = did_you_mean(name, self.names(), " ").strip()
            return document.problem(
                path, message, near or f'quell.yaml has no source "{source}"; add it under sources:'
            )
        return document.problem(path, message, did_you_mean(name, self.names()))


def _is_template(value: Any) -> bool:
    return isinstance(value, str) and "${" in value


def _misfit(document: Document, place: tuple[Path, str, str], action: str, fault: Fault, *, missing: bool) -> Problem:
    path, verb, inside = place
    if missing:
        return document.problem((*path, verb), f'action "{action}" {fault.message}', fault.suggestion)
    message = f'{fault.message} of action "{action}"' if fault.key else f'parameter "{fault.name}": {fault.message}'
    return document.problem((*path, inside, fault.name), message, fault.suggestion, key=fault.key)
