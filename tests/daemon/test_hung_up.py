"""Who hangs up while being answered is no fault of quell's; every other error of an answer still is seen."""

from __future__ import annotations

import asyncio

import pytest

from quell.daemon.http import Front
from quell.daemon.readers import Readers

CLOSED = "unable to perform operation on <TCPTransport closed=True reading=False 0x5571>; the handler is closed"


def asked(path: str, said: str) -> None:
    async def app(_scope: object, _receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]

    async def gone(_message: object) -> None:
        raise RuntimeError(said)

    async def nothing() -> dict[str, object]:
        return {"type": "http.disconnect"}

    asyncio.run(Front(app, app, Readers())({"type": "http", "path": path}, nothing, gone))  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["/metrics", "/in/prometheus"])
def test_a_peer_that_is_gone_is_no_error(path: str) -> None:
    asked(path, CLOSED)


@pytest.mark.parametrize("path", ["/metrics", "/in/prometheus"])
def test_other_errors_are_not_hidden(path: str) -> None:
    with pytest.raises(RuntimeError, match="Response content longer"):
        asked(path, "Response content longer than Content-Length")
