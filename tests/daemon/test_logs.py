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
from quell.daemon.log_lines import logfmt
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


@pytest.mark.usefixtures("undone")
@given(
    st.dictionaries(
        st.sampled_from(["key", "error", "b", "odd-key", "ключ", "timestamp"]),
        st.none() | st.booleans() | st.text(alphabet=st.sampled_from('a =\\"\nß'), max_size=6) | st.integers(),
    ),
    st.text(max_size=6),
)
def test_a_line_is_as_the_library_renders_it(fields: dict[str, Any], event: str) -> None:
    known = {"event": event, "level": "info", **fields}
    reference = structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False)
    assert logfmt(None, "info", dict(known)) == reference(None, "info", dict(known))


@pytest.mark.usefixtures("undone")
def test_quells_lines_are_those_that_libraries_would_give() -> None:
    out = io.StringIO()
    set_up(Masker(), level="warning", out=out)
    structlog.get_logger("quell.test").info("not so loud")
    structlog.get_logger("quell.test").warning("it happened", where="here and there", why=None, much=True)
    logging.getLogger("quell.test").warning("it happened")
    ours, theirs = (line.partition(" ")[2] for line in out.getvalue().splitlines())
    assert ours == 'level=warning event="it happened" where="here and there" why= much=true logger=quell.test'
    assert theirs == 'level=warning event="it happened" logger=quell.test'


@pytest.mark.usefixtures("undone")
@pytest.mark.parametrize("form", ["text", "json"])
def test_what_a_sender_wrote_does_not_move_the_cursor(form: Any) -> None:
    out = io.StringIO()
    set_up(Masker(), form=form, out=out)
    wrote = "a\rb\x9b \u202e日本 🔥\ud800\nlevel=info"
    structlog.get_logger("quell.test").warning("it \x1b[2J came", reason=wrote)
    logging.getLogger("library").warning("it \x1b[2J came: %s", wrote)
    ours, theirs = out.getvalue().split("\n")[:-1]
    for line in (ours, theirs):
        assert line.isprintable()
        assert "x1b[2J" in line or "\\u001b[2J" in line
        assert "日本 🔥" in line or form == "json"


@pytest.mark.usefixtures("undone")
@pytest.mark.parametrize("what", ["closed", "unspeakable"])
def test_a_line_that_cannot_be_written_ends_nothing(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    class Unspeakable:
        def __str__(self) -> str:
            raise ValueError("no words")

    out = io.StringIO()
    set_up(Masker(), out=out)
    if what == "closed":
        out.close()
    structlog.get_logger("quell.test").error("it broke", about=Unspeakable())
    assert "it broke" in capsys.readouterr().err


@given(
    st.lists(
        st.sampled_from(
            ["Bearer", "pa\u017fsword", "TO\u212aEN", "Token", "api_key", "APIKEY", "secret", "auth", "orization",
             "=", ":", " ", "'", "x", "joe@", "http://", "qll_", "ana_", "0123"]
        )
    )
)  # fmt: skip
def test_a_look_first_whether_there_is_anything_to_mask_misses_nothing(parts: list[str]) -> None:
    text = "".join(parts)
    # A letter beyond ASCII, where nothing is told by a look: all patterns are tried.
    assert Masker().text(f"ß {text}") == f"ß {Masker().text(text)}"


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
