"""Logs: one line an event, no secret in any of them, a storm of the same failure is one line and a count."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from daemon.parts import loaded, source
from quell.daemon.logs import Masker, Sparing, set_up
from quell.daemon.secrets_of import secrets_of
from quell.sdk.secret import Secret
from quell.sdk.signatures import Bearer

SHOWN = {
    "a known secret": ("it is hunter2-hunter2 indeed", "it is *** indeed"),
    "an API token": ("token qll_ana_0123456789abcdef used", "token qll_ana_*** used"),
    "a header": ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
    "a header in JSON": ('{"authorization": "Basic YTpi"}', '{"authorization": "Basic ***"}'),
    "a query": ("GET /x?token=abc&y=1", "GET /x?token=***&y=1"),
    "a password in a URL": ("postgres://joe:pw@db/x", "postgres://***@db/x"),
    "nothing secret": ("3 tokens, http://host/x?y=1@2", "3 tokens, http://host/x?y=1@2"),
}


@pytest.mark.parametrize("what", SHOWN)
def test_secrets_are_masked(what: str) -> None:
    text, shown = SHOWN[what]
    masker = Masker()
    masker.know(["hunter2-hunter2", "abc"])
    assert masker.text(text) == shown


@given(st.text(), st.text(min_size=6).filter(lambda text: "*" not in text), st.text())
def test_a_known_secret_is_never_shown(before: str, secret: str, after: str) -> None:
    masker = Masker()
    masker.know([secret])
    assert secret not in masker.text(before + secret + after).replace("***", "\x00")


@pytest.fixture
def undone() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("quell").setLevel(logging.NOTSET)
    structlog.reset_defaults()


@pytest.mark.usefixtures("undone")
def test_lines_in_both_forms() -> None:
    for form in ("text", "json"):
        out = io.StringIO()
        masker = Masker()
        masker.know(["hunter2-hunter2"])
        set_up(masker, form, out=out)  # type: ignore[arg-type]
        log = structlog.get_logger("quell.test")
        log.info("it happened", where="here", token="short", detail={"deep": ["hunter2-hunter2"]})
        log.debug("nobody hears this")
        logging.getLogger("uvicorn.error").info("nor this")
        logging.getLogger("uvicorn.error").warning("but %s", "hunter2-hunter2")
        try:
            int("hunter2-hunter2")
        except ValueError:
            log.exception("it broke")
        lines = out.getvalue().splitlines()
        assert len(lines) == 3
        assert "hunter2" not in out.getvalue()
        if form == "json":
            assert msgspec.json.decode(lines[0])["where"] == "here"
            assert msgspec.json.decode(lines[0])["token"] == "***"
            assert "Traceback" in msgspec.json.decode(lines[2])["exception"]
        else:
            assert 'event="it happened"' in lines[0]
            assert "where=here" in lines[0]


def test_the_same_failure_over_and_over_is_counted() -> None:
    said: list[tuple[str, dict[str, Any]]] = []

    class Log:
        def warning(self, event: str, **fields: Any) -> None:
            said.append((event, fields))

    now = [0.0]
    sparing = Sparing(Log(), every_s=30.0, steady=lambda: now[0])
    for second in range(61):
        now[0] = float(second)
        sparing.warning("a", "failed", n=second)
        sparing.warning(f"b{second // 60}", "other")
    assert [(event, fields) for event, fields in said if event == "failed"] == [
        ("failed", {"n": 0}),
        ("failed", {"n": 30, "more_since": 29}),
        ("failed", {"n": 60, "more_since": 29}),
    ]


def test_every_secret_of_a_configuration_is_known() -> None:
    settings = loaded(
        source("a", "feed", options={"deep": [{"key": Secret("one-secret")}], "plain": 1}),
        source("b", "feed", auth=Bearer(secrets=(Secret("two-secret"),))),
    ).settings
    assert sorted(secrets_of(settings)) == ["one-secret", "two-secret"]
