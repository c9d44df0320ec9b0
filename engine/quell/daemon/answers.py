"""What an act answered, made fit to be kept: plain JSON, without secrets, of bounded size."""

from __future__ import annotations

from typing import Any

import msgspec

from quell.daemon.logs import Masker

MOST_OUTPUT_BYTES = 64_000
"""Of an output as JSON: it is kept in the ledger, in the journal and in the core's state."""
MOST_SENTENCE = 2_000
"""Letters of a sentence or an error: people read them."""
NOTE = "cut_short"
"""The name under which a cut output says so."""
_TEXT = 4_000
_ITEMS = 200
_TRIES = 8


def plain(output: Any) -> dict[str, Any]:
    """The output of an action as JSON types. Raises what encoding raises when it holds anything else: a bug."""
    decoded = msgspec.json.decode(msgspec.json.encode(output))
    msgspec.msgpack.encode(decoded)  # as the journal will have to: numbers beyond 64 bits raise here
    if not isinstance(decoded, dict):
        raise TypeError(f"the output of an action is a mapping, not {type(output).__name__}")
    return decoded


def fit(output: Any, masker: Masker) -> dict[str, Any]:
    """The output as it is kept. Secrets go first: half of one at a cut would not be found any more."""
    return bounded(_masked(plain(output), masker))


def fit_text(text: str, masker: Masker) -> str:
    """A sentence or an error as it is kept."""
    masked = masker.text(text)
    return masked if len(masked) <= MOST_SENTENCE else f"{masked[:MOST_SENTENCE]}… ({len(masked)} letters)"


def bounded(output: dict[str, Any]) -> dict[str, Any]:
    """The output, or what is left of it: long texts and lists are cut first, then whatever takes most goes whole."""
    size = len(msgspec.json.encode(output))
    if size <= MOST_OUTPUT_BYTES:
        return output
    note = f"the output had {size} bytes; at most {MOST_OUTPUT_BYTES} are kept"
    text, items, cut = _TEXT, _ITEMS, output
    for _ in range(_TRIES):
        cut = {**_cut(output, text, items), NOTE: note}
        if len(msgspec.json.encode(cut)) <= MOST_OUTPUT_BYTES:
            return cut
        text, items = max(text // 2, 20), max(items // 2, 1)
    kept: dict[str, Any] = {NOTE: note}
    left = MOST_OUTPUT_BYTES - len(msgspec.json.encode(kept))
    for name, value in sorted(cut.items(), key=lambda pair: len(msgspec.json.encode(pair[1]))):
        left -= len(msgspec.json.encode({name: value}))
        if left < 0:
            break
        kept[name] = value
    return kept


def _cut(value: Any, text: int, items: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= text else f"{value[:text]}…"
    if isinstance(value, list):
        return [_cut(item, text, items) for item in value[:items]]
    if isinstance(value, dict):
        return {name: _cut(item, text, items) for name, item in value.items()}
    return value


def _masked(value: Any, masker: Masker) -> Any:
    """Without known secrets, also in names; what only looks like one stays, for later steps may need it."""
    if isinstance(value, str):
        return masker.known(value)
    if isinstance(value, list):
        return [_masked(item, masker) for item in value]
    if isinstance(value, dict):
        return {masker.known(name): _masked(item, masker) for name, item in value.items()}
    return value
