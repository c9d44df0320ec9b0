"""Files by which the other side is known and told who asks, against a real TLS server."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from quell.errors import Unreachable
from quell.sdk.http_client import GuardedHttp
from quell.sdk.identity import Identity
from quell.sdk.testkit import run


def certificate(folder: Path, name: str) -> tuple[str, str]:
    """A certificate that vouches for itself, and its key."""
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", key, "-out", cert, "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    return str(cert), str(key)


def at_a_server(
    context: ssl.SSLContext | None, work: Callable[[GuardedHttp, str], Awaitable[None]], seen: list[str]
) -> None:
    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        return web.Response(text=f"you said {seen[-1]}")

    async def inner() -> None:
        app = web.Application()
        app.router.add_get("/", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        http = GuardedHttp(["loopback"])
        try:
            await work(http, f"{'https' if context else 'http'}://127.0.0.1:{runner.addresses[0][1]}/")
        finally:
            await http.close()
            await runner.cleanup()

    run(inner())


@pytest.mark.needs("openssl")
def test_a_server_is_known_by_a_file_and_asks_for_ours(tmp_path: Path) -> None:
    server_cert, server_key = certificate(tmp_path, "server")
    our_cert, our_key = certificate(tmp_path, "us")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=our_cert)
    context.load_cert_chain(server_cert, server_key)
    context.verify_mode = ssl.CERT_REQUIRED

    async def work(http: GuardedHttp, url: str) -> None:
        with pytest.raises(Unreachable, match="a certificate that cannot be trusted"):
            await http.request("GET", url)
        with pytest.raises(Unreachable):
            await http.request("GET", url, identity=Identity(ca_file=server_cert))
        whole = Identity(ca_file=server_cert, cert_file=our_cert, key_file=our_key)
        assert (await http.request("GET", url, identity=whole)).status == 200
        with pytest.raises(Unreachable, match="holds no usable certificate"):
            await http.request("GET", url, identity=Identity(ca_file=our_key))
        with pytest.raises(Unreachable, match=r'nothing was asked: "/nonexistent" cannot be read: No such file'):
            await http.request("GET", url, identity=Identity(ca_file="/nonexistent"))

    at_a_server(context, work, [])


def test_a_token_file_is_read_at_each_request(tmp_path: Path) -> None:
    file, seen = tmp_path / "token", list[str]()

    async def work(http: GuardedHttp, url: str) -> None:
        ours = Identity(token_file=str(file))
        with pytest.raises(Unreachable, match="cannot be read: No such file"):
            await http.request("GET", url, identity=ours)
        file.write_text("first\n")
        answer = await http.request("GET", url, identity=ours)
        assert answer.body == b"you said Bearer ***"
        file.write_text("second")
        await http.request("GET", url, identity=ours)
        await http.request("GET", url, identity=ours, headers={"authorization": "Basic x"})
        assert seen == ["Bearer first", "Bearer second", "Basic x"]
        for bad in ("", "two words", "\x00"):
            file.write_text(bad)
            with pytest.raises(Unreachable, match="holds no token"):
                await http.request("GET", url, identity=ours)
        file.write_bytes(b"\xff")
        with pytest.raises(Unreachable, match="it is not text"):
            await http.request("GET", url, identity=ours)

    at_a_server(None, work, seen)
