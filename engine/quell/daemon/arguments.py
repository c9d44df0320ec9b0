"""With what an act is performed, as the audit trail may tell it: secrets as hashes, nothing of any length."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

from quell.config.options import SecretReader, Unfit
from quell.daemon.logs import Masker
from quell.daemon.sources import Sources
from quell.model.decision import Perform

_MOST_LETTERS = 1_000
_DIGITS = 16


class Arguments:
    """Tells intents. Two hashes are equal when the secrets were: which secret it was can be shown, not read."""

    def __init__(self, sources: Sources, secret: SecretReader, masker: Masker) -> None:
        self._sources = sources
        self._secret = secret
        self._masker = masker

    def told(self, deed: Perform) -> str:
        """The action and its arguments in one line."""
        source = self._sources.for_action(deed.action)
        spec = source.connector.spec.action(deed.action.rpartition(".")[2]) if source is not None else None
        secrets = {option.name for option in spec.params if option.type == "secret"} if spec is not None else set()
        words = [
            f"{name}={self._hash(value) if name in secrets else self._shown(value)}"
            for name, value in sorted(deed.params.items())
        ]
        line = self._masker.text(" ".join([deed.action, *words]))
        return line if len(line) <= _MOST_LETTERS else f"{line[:_MOST_LETTERS]}…"

    def _hash(self, value: Any) -> str:
        try:
            value = self._secret(value).reveal()
        except Unfit:
            value = _json(value)  # no reference: perhaps the secret itself
        return f"sha256:{sha256(str(value).encode()).hexdigest()[:_DIGITS]}"

    def _shown(self, value: Any) -> str:
        return self._masker.known(_json(value))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
