"""What connectors that serve an API may read of the engine: frozen values, as of the last turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from quell import __version__
from quell.expressions.matchers import Matching, parse_matchers
from quell.model.alert import Alert
from quell.model.incident import Incident
from quell.model.mute import Matcher, Silence
from quell.model.state import State


class EngineView:
    """``state`` gives the present state: after a recovery from a failure it is another object."""

    def __init__(self, state: Callable[[], State], started_at: float) -> None:
        self._state = state
        self._started_at = started_at

    def alerts(self) -> Sequence[Alert]:
        """All alerts that the state knows."""
        return tuple(self._state().alerts.values())

    def alert(self, fingerprint: str) -> Alert | None:
        """One alert."""
        return self._state().alerts.get(fingerprint)

    def silences(self) -> Sequence[Silence]:
        """All silences, expired ones included."""
        return tuple(self._state().silences.values())

    def silence(self, silence_id: str) -> Silence | None:
        """One silence."""
        return self._state().silences.get(silence_id)

    def incidents(self) -> Sequence[Incident]:
        """All incidents that the state knows."""
        return tuple(self._state().incidents.values())

    def started_at(self) -> float:
        """When the daemon started."""
        return self._started_at

    def version(self) -> str:
        """Quell's version."""
        return __version__

    def matchers(self, text: str) -> Sequence[Matcher]:
        """Matchers as people write them. Raises `ExpressionError`."""
        return parse_matchers(text)

    def matching(self, matchers: Sequence[Matcher]) -> Callable[[Mapping[str, str]], bool]:
        """A test whether labels match all of them. Raises `ExpressionError`."""
        return Matching(tuple(matchers)).matches
