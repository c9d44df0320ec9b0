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

    actions: Mapping[str, ActionSpec]

    @property
    def befores(self) -> frozenset[str]:
        """Actions that are asked for the state before another acts."""
        return frozenset(
            f"{name.rpartition('.')[0]}.{action.before}" for name, action in self.actions.items() if action.before
        )

    def unfit(self, deed: Perform) -> str:
        """Why nobody could perform it, "" when it fits: its parameters are held against the declaration, as always."""
        spec = self.actions.get(deed.action)
        if spec is None:
            return f'no source "{deed.action.rpartition(".")[0]}" is configured for the action "{deed.action}"'
        declared = {option.name for option in spec.params}
        given = {key: value for key, value in deed.params.items() if key in declared}
        _, faults = decode_options(spec.params, given, secret=_unread)
        return "; ".join(f'parameter "{fault.name}": {fault.message}' for fault in faults)


def declared(sources: Iterable[Source], specs: Mapping[str, Spec]) -> Declared:
    """The actions of the sources, and behind them those of connectors that are installed and not configured."""
    found = dict(specs) | {source.id: specs[source.use] for source in sources if source.use in specs}
    return Declared({f"{name}.{action.name}": action for name, spec in found.items() for action in spec.actions})


def _unread(reference: object) -> Secret:
    return Secret(str(reference))
