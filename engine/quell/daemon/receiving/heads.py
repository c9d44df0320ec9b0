"""What a head means that the receiver asks about: read as the server's own protocol reads it."""

from __future__ import annotations

import httptools

from quell.daemon.direct import Direct, Way


class _Read:
    """What the parser finds in a head; ``whole`` once it ends, and ``beyond`` when there is something behind."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.whole = self.beyond = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.beyond = self.beyond or self.whole
        self.whole = True

    def on_body(self, _body: bytes) -> None:
        self.beyond = True

    def on_message_complete(self) -> None:
        self.beyond = True


def way_of(direct: Direct, peer: str, head: bytes) -> Way | None:
    """The way of a delivery whose head this is, all of it; None where it is not plain, or does not prove its sender."""
    read = _Read()
    parser = httptools.HttpRequestParser(read)
    try:
        parser.feed_data(head)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return None
    plain = (
        read.whole
        and not read.beyond
        and parser.get_method() == b"POST"
        and parser.get_http_version() == "1.1"
        and parser.should_keep_alive()
        and not parser.should_upgrade()
    )
    way = direct.way(peer, read.url, read.headers) if plain else None
    return way if way is not None and way.proved else None
