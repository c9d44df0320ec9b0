"""The short way of a delivery: from its connection to the inbox, and after the commit the answer straight back.

A POST with a body of known length, from a sender whom its head proves, is nearly every request there is. For it no
task, no event and no future is made: one call takes it in, one call writes the answer. What is unusual in any way (a
query, chunks, compression, ``Expect``, requests sent before the last was answered, several sources at one path) goes
through the ASGI application, which gives the same answers.

A head that was read once is known again by its bytes: the same bytes from the same peer mean the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from quell.daemon.body import Limits
from quell.daemon.ingest import Ingest
from quell.daemon.replies import Written, error_reply
from quell.daemon.sources import Source
from quell.sdk.connector import Reply, Request

LONGEST_HEAD = 2048
"""Bytes of a head that is known again."""
_MOST_HEADS = 4096
_MOST_HEADERS = 48
"""Of a head that is known again: thousands of small ones, which anybody may send, take far more than their bytes."""
_PLAIN_URL = frozenset(b"/-._~ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:@!$&'()*+,;=")
_UNUSUAL = frozenset({"transfer-encoding", "expect", "upgrade"})


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """What a head says: whose the delivery is, and how many bytes its body has.

    ``proved``: the head alone shows who sent it. ``edition`` is of the configuration that says so.
    """

    source: Source
    path: str
    headers: Mapping[str, str]
    peer: str
    length: int
    proved: bool
    edition: int


class Direct:
    """``own`` says which paths are quell's own, which no source can take."""

    def __init__(self, ingest: Ingest, limits: Limits, own: Callable[[str], bool]) -> None:
        self.body_within_s = limits.within_s
        self.written = Written().bytes_of
        self._ingest = ingest
        self._most = limits.sent
        self._own = own
        self._ways: dict[tuple[str, bytes], Way] = {}

    def known(self, peer: str, head: bytes) -> Way | None:
        """The way of a head that was read before."""
        way = self._ways.get((peer, head))
        return way if way is not None and way.edition == self._ingest.edition else None

    def learn(self, peer: str, head: bytes, way: Way) -> None:
        """Remembers a head that was read."""
        if len(way.headers) > _MOST_HEADERS:
            return
        if len(self._ways) >= _MOST_HEADS:
            self._ways.clear()
        self._ways[peer, head] = way

    def way(self, peer: str, url: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Way | None:
        """The short way of a POST, if it may go it. ``headers`` have lower-case names."""
        if url[:1] != b"/" or url[:2] == b"//" or not _PLAIN_URL.issuperset(url):
            return None
        named = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
        length = named.get("content-length", "")
        if not (length.isascii() and length.isdigit() and len(length) < 10 and 0 < int(length) <= self._most):
            return None
        if not _UNUSUAL.isdisjoint(named) or named.get("content-encoding", "identity").strip().lower() != "identity":
            return None
        path = url.decode("ascii")
        if self._own(path):
            return None
        edition = self._ingest.edition
        found = self._ingest.sole_owner(path, named, peer)
        return None if found is None else Way(found[0], path, named, peer, int(length), found[1], edition)

    def take(self, way: Way, body: bytes, told: Callable[[Reply], None]) -> None:
        """Takes a whole delivery; ``told`` gets what to answer, after the commit or at once."""
        request = Request("POST", way.path, body, way.headers)
        if way.edition == self._ingest.edition:
            self._ingest.deliver(way.source, request, told, proved=way.proved)
            return
        found = self._ingest.sole_owner(way.path, way.headers, way.peer)  # anew: sources or tokens changed meanwhile
        if found is None:
            told(error_reply(503, "the configuration changed while this came in; nothing was accepted"))
        else:
            self._ingest.deliver(found[0], request, told, proved=found[1])

    def late(self, way: Way) -> Reply:
        """What to answer, and to count, when the body does not come."""
        return self._ingest.late(way.source, f"the body did not arrive within {self.body_within_s:g} s")
