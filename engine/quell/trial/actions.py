"""The declarations of actions as a trial sees them: of the sources in quell.yaml, or of a connector by its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from quell.config.options import decode_options
from quell.config.settings import Source
from quell.model.decision import Perform
from quell.sdk.secret import Secret
from quell.sdk.spec import ActionSpec, Spec


@dataclass(frozen=True, slots=True)
class Declared:
    """Every action there is, by full name. An id of a source hides the connector of that name."""

    sources: Mapping[str, Spec]
    """What is declared for each source, by its id."""
    installed: Mapping[str, Spec]
    """What stands behind: connectors by their names."""

    def find(self, name: str) -> ActionSpec | None:
        """The declaration of an action, or None."""
        spec = self._spec(name)
        return spec.action(name.rpartition(".")[2]) if spec is not None else None

    def names(self) -> frozenset[str]:
        """Every action there is."""
        found = {**self.installed, **self.sources}
        return frozenset(f"{name}.{action.name}" for name, spec in found.items() for action in spec.actions)

    def looks(self, name: str) -> bool:
        """Whether an action is asked for the state before another acts."""
        spec, verb = self._spec(name), name.rpartition(".")[2]
        return spec is not None and any(action.before == verb for action in spec.actions)

    def _spec(self, action: str) -> Spec | None:
        source = action.rpartition(".")[0]
        return self.sources[source] if source in self.sources else self.installed.get(source)

    def unfit(self, deed: Perform) -> str:
        """Why nobody could perform it, "" when it fits: its parameters are held against the declaration, as always."""
        spec = self.find(deed.action)
        if spec is None:
            return f'no source "{deed.action.rpartition(".")[0]}" is configured for the action "{deed.action}"'
        declared = {option.name for option in spec.params}
        given = {key: value for key, value in deed.params.items() if key in declared}
        _, faults = decode_options(spec.params, given, secret=_unread)
        return "; ".join(f'parameter "{fault.name}": {fault.message}' for fault in faults)


def declared(sources: Iterable[Source], specs: Mapping[str, Spec]) -> Declared:
    """The actions of the sources, and behind them those of connectors that are installed and not configured."""
    return Declared({source.id: specs[source.use] for source in sources if source.use in specs}, specs)


def _unread(reference: object) -> Secret:
    return Secret(str(reference))
