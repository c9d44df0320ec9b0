"""What goes to quarantine, with all that is needed to try it again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from quell.errors import BadPayload
from quell.sdk.connector import Rejected, Request
from quell.store.port import Quarantined

MOST_QUARANTINED_BYTES = 1024 * 1024
"""Of one payload; more is cut, as a flood of bad bodies must not fill the disk, and cannot be tried again."""
_MOST_UNBELIEVED_BYTES = 4096
_MOST_AROUND_BYTES = 16 * 1024
"""Of what stands around a part in its delivery."""
_MOST_AROUND_ALL_BYTES = 1024 * 1024
"""Of that for all parts of one delivery, and twice the delivery's own size: a flood must not become a larger one."""
_MOST_HEADERS_BYTES = 8192
_CUT = "\n… cut off here; it had {} bytes"
_SECRET = ("auth", "cookie", "token", "secret", "key", "signature", "passw", "session", "credential", "jwt")
_IDLE = frozenset({"host", "connection", "content-length", "content-encoding", "transfer-encoding", "accept",
                   "accept-encoding", "accept-language", "user-agent", "expect", "via", "forwarded"})  # fmt: skip


class Around(msgspec.Struct, frozen=True, array_like=True):
    """The request that a payload came in, without what proves who sent it; its body is ``before + payload + after``."""

    method: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    before: bytes = b""
    after: bytes = b""


@dataclass(frozen=True, slots=True)
class _Sent:
    at: float
    source: str
    request: Request


def whole(at: float, source: str, request: Request, reason: str) -> Quarantined:
    """A delivery of which nothing was taken."""
    return _entry(_Sent(at, source, request), reason, request.body)


def unbelieved(at: float, source: str, path: str, error: BadPayload) -> Quarantined:
    """The beginning of a body that could not even be inflated; nobody has looked at who sent it."""
    payload = error.payload[:_MOST_UNBELIEVED_BYTES]
    return Quarantined(at=at, source=source, reason=str(error), payload=payload, path=path, kind="body", whole=False)


def record(at: float, source: str, request: Request, each: Rejected) -> Quarantined:
    """A record, as JSON, that is beyond what is taken."""
    payload = cut(each.payload)
    return Quarantined(
        at=at, source=source, reason=each.reason, payload=payload, path=request.path, kind="record",
        whole=payload is each.payload,
    )  # fmt: skip


def parts(
    at: float, source: str, request: Request, rejected: Sequence[Rejected], *, taken: bool
) -> Iterator[Quarantined]:
    """The parts of a delivery that were not taken; ``taken`` says whether others were."""
    if not taken and len(rejected) == 1 and not rejected[0].private:
        yield whole(at, source, request, rejected[0].reason)
        return
    places = _places(request.body) if rejected else {}
    lines = {line.strip() for line in request.body.splitlines()} if rejected and not places else set()
    lines.discard(b"")
    left = _MOST_AROUND_ALL_BYTES + 2 * len(request.body)
    for each in rejected:
        if each.private:
            yield _entry(_Sent(at, source, request), each.reason, each.payload, None)
            continue
        around = places.get(_canonical(each.payload)) if left > 0 else None
        if around is None and each.payload.strip() in lines:
            around = (b"", b"")
        entry = _entry(_Sent(at, source, request), each.reason, each.payload, around if left > 0 else None)
        left -= len(entry.request)
        yield entry


def cut(payload: bytes) -> bytes:
    """The beginning of a payload, as much as quarantine keeps."""
    if len(payload) <= MOST_QUARANTINED_BYTES:
        return payload
    return payload[:MOST_QUARANTINED_BYTES] + _CUT.format(len(payload)).encode()


def _entry(sent: _Sent, reason: str, payload: bytes, around: tuple[bytes, bytes] | None = (b"", b"")) -> Quarantined:
    request, kept = sent.request, cut(payload)
    entry = Quarantined(
        at=sent.at, source=sent.source, reason=reason, payload=kept, path=request.path,
        whole=kept is payload and bool(payload),
    )  # fmt: skip
    if around is None:
        return msgspec.structs.replace(entry, kind="part")
    rest = Around(request.method, tuple(_query(request)), dict(_headers(request.headers)), *around)
    return msgspec.structs.replace(entry, kind="delivery", request=msgspec.msgpack.encode(rest))


def _headers(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What may say how a body is to be read: everything but secrets and the transport's own."""
    left = _MOST_HEADERS_BYTES
    for name, value in headers.items():
        left -= len(name) + len(value)
        if left < 0:
            return
        if name not in _IDLE and not _tells_secrets(name):
            yield name, value


def _query(request: Request) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in request.query if not _tells_secrets(name.lower()))


def _tells_secrets(name: str) -> bool:
    return any(word in name for word in _SECRET)


def _places(body: bytes) -> dict[bytes, tuple[bytes, bytes]]:
    """By each item of each list in a JSON body: what makes a delivery of that item alone, before and behind it."""
    found: dict[bytes, tuple[bytes, bytes]] = {}
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        document = msgspec.json.decode(body)
        for path, items in _lists(document, ()):
            around = _around(document, path)
            if around is not None:
                found.update((msgspec.json.encode(item, order="sorted"), around) for item in items)
    return found


def _lists(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """Lists in a document that are not within lists."""
    if isinstance(value, list):
        yield path, value
    elif isinstance(value, dict) and len(path) < 8:
        for name, inner in value.items():
            yield from _lists(inner, (*path, name))


def _around(document: Any, path: tuple[str, ...]) -> tuple[bytes, bytes] | None:
    """The document with one item in the list at ``path`` and none in any other, cut where that item stands."""
    mark = "\x00the part\x00"
    text = msgspec.json.encode(_with_only(document, path, mark))
    before, _, after = text.partition(msgspec.json.encode(mark))
    return (before, after) if len(text) <= _MOST_AROUND_BYTES else None


def _with_only(value: Any, path: tuple[str, ...] | None, mark: str) -> Any:
    if isinstance(value, list):
        return [mark] if path == () else []
    if not isinstance(value, dict):
        return value
    return {
        name: _with_only(inner, path[1:] if path and path[0] == name else None, mark) for name, inner in value.items()
    }


def _canonical(part: bytes) -> bytes:
    try:
        return msgspec.json.encode(msgspec.json.decode(part), order="sorted")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return part


def around_of(entry: Quarantined) -> Around:
    """What belongs around an entry's payload; of an older version's, what is most likely."""
    if entry.request:
        return msgspec.msgpack.decode(entry.request, type=Around)
    return Around("POST", (), {"content-type": "application/json"})


def request_of(entry: Quarantined) -> Request:
    """The request that delivers an entry's payload again."""
    around = around_of(entry)
    body = around.before + entry.payload + around.after
    return Request(around.method, entry.path, body, around.headers, around.query)


def kind_of(entry: Quarantined) -> str:
    """What an entry's payload is; "" when it cannot be tried again."""
    if entry.kind or not _old(entry):
        return entry.kind if entry.kind in {"delivery", "record", "line"} else ""
    if entry.path == "/records":
        return "line"
    if entry.path:
        return "delivery"
    return "record" if entry.reason.startswith("the core failed on this record") else ""


def _old(entry: Quarantined) -> bool:
    """Whether a version kept it that did not say what it is, and it was believed: gzip is undone before that."""
    return not entry.request and bool(entry.payload) and "gzip" not in entry.reason


def is_whole(entry: Quarantined) -> bool:
    """Whether all of the payload was kept."""
    return entry.whole and b"\xe2\x80\xa6 cut off here; it had " not in entry.payload[-100:]


def reasons(rejected: Iterable[Rejected], most: int = 5) -> str:
    """Why parts were not taken, each reason once."""
    said = list(dict.fromkeys(each.reason for each in rejected))
    return "; ".join(said[:most]) + (f"; and {len(said) - most} more reasons" if len(said) > most else "")
