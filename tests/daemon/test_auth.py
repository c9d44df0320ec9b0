"""Who was believed once is believed for as long as the configuration says so, and no longer."""

from __future__ import annotations

from daemon.parts import READER, TOKEN, loaded, source, token
from quell.daemon.auth import Doors, Tokens
from quell.sdk.connector import Request

ANA, BEN = token(TOKEN, "ana", "admin"), token(READER, "ben", "read")


def test_a_token_is_good_until_the_configuration_drops_it() -> None:
    tokens = Tokens([ANA, BEN])
    for _ in range(2):
        found = tokens.principal(f"Bearer {TOKEN}")
        assert found is not None
        assert (found.by, found.may("ingest")) == ("ana", True)
        assert tokens.principal(f"Bearer {TOKEN}x") is None
        assert tokens.principal(f"Basic {TOKEN}") is None
    tokens.use([BEN])
    assert tokens.principal(f"Bearer {TOKEN}") is None
    tokens.use([token(TOKEN, "ana", "read"), BEN])
    demoted = tokens.principal(f"bearer  {TOKEN} ")
    assert demoted is not None
    assert not demoted.may("ingest")


def test_this_machine_is_believed_by_its_own_names_only() -> None:
    doors = Doors(Tokens([ANA]), loaded().settings)
    mine = source("in", "feed")

    def refused(peer: str, **headers: str) -> bool:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return bool(doors.refusal(mine, Request("POST", "/in/in", b"", named), peer, 1.0))

    for _ in range(2):
        assert not refused("127.0.0.1", host="localhost:9099")
        assert not refused("::1", host="[::1]:9099")
        assert not refused("127.0.0.1", host="127.0.0.1", origin="http://127.0.0.1")
        assert refused("127.0.0.1", host="127.0.0.1", origin="http://elsewhere")
        assert refused("127.0.0.1", host="elsewhere:9099")
        assert refused("127.0.0.1", host="localhost." + "x" * 400)
        assert refused("127.0.0.1", host="localhost", x_forwarded_for="10.0.0.1")
        assert refused("10.0.0.1", host="localhost")
        assert refused("", host="localhost")
