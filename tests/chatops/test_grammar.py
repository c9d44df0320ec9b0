"""Text becomes commands: by examples, and for any text at all."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quell.chatops.forms import BY_VERB, FORMS
from quell.chatops.grammar import FILTERS, Command, Misread, help_text, parse, written
from quell.model.mute import Matcher

HOUR = 3600.0
SERVICE = Matcher(name="service", value="checkout")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("incidents", Command(verb="incidents")),
        ("incidents team:web sev:high", Command(verb="incidents", filters=(("team", "web"), ("sev", "high")))),
        ("/quell show INC-3f9a", Command(verb="show", incident="INC-3f9a")),
        ("why", Command(verb="why")),
        ("WHY inc-3F9A", Command(verb="why", incident="inc-3F9A")),
        ("stats", Command(verb="stats")),
        ("stats 7d", Command(verb="stats", seconds=7 * 86400.0)),
        ("ack", Command(verb="ack")),
        ("acknowledge INC-1 because I’m on it", Command(verb="ack", incident="INC-1", because="I’m on it")),
        ("assign INC-1 @ana", Command(verb="assign", incident="INC-1", person="ana")),
        ("assign <@U012AB|ana>", Command(verb="assign", person="U012AB")),
        ("snooze 30m", Command(verb="snooze", seconds=1800.0)),
        ("snooze INC-1 for 1h30m", Command(verb="snooze", incident="INC-1", seconds=5400.0)),
        ("resolve INC-1 because done", Command(verb="resolve", incident="INC-1", because="done")),
        ("merge INC-1 INC-2", Command(verb="merge", incident="INC-1", other="INC-2")),
        ("merge INC-2 because same", Command(verb="merge", other="INC-2", because="same")),
        ("split INC-1 DiskFull", Command(verb="split", incident="INC-1", alerts=("DiskFull",))),
        ('split "Disk full" b1', Command(verb="split", alerts=("Disk full", "b1"))),
        (
            "silence service=checkout for 1h because tests",
            Command(verb="silence", matchers=(SERVICE,), seconds=HOUR, because="tests"),
        ),
        (
            "silence service=checkout severity!=critical for 1h because for tests",
            Command(
                verb="silence",
                matchers=(SERVICE, Matcher(name="severity", value="critical", is_equal=False)),
                seconds=HOUR,
                because="for tests",
            ),
        ),
        (
            'silence {service=“checkout”, name=~"a for b|c"} for 1h because x',
            Command(
                verb="silence",
                matchers=(SERVICE, Matcher(name="name", value="a for b|c", is_regex=True)),
                seconds=HOUR,
                because="x",
            ),
        ),
        (
            "silence INC-1 for 1h because x",
            Command(verb="silence", incident="INC-1", seconds=HOUR, because="x"),
        ),
        ("unsilence 4c0f", Command(verb="unsilence", silence="4c0f")),
        ("run rollback INC-1 —dry", Command(verb="run", playbook="rollback", incident="INC-1", dry=True)),
        ("run --dry rollback", Command(verb="run", playbook="rollback", dry=True)),
        ("approve R-0c7e", Command(verb="approve", run="R-0c7e")),
        ("approve R-0c7e A1b2 version 3 because ok",
         Command(verb="approve", run="R-0c7e", mark="a1b2", version=3, because="ok")),
        ("approve a1b2", Command(verb="approve", mark="a1b2")),
        ("approve --version 12", Command(verb="approve", version=12)),
        ("reject because no", Command(verb="reject", because="no")),
        ("reject R-1 because because", Command(verb="reject", run="R-1", because="because")),
        ("pause all", Command(verb="pause")),
        ("unpause ALL because over", Command(verb="unpause", because="over")),
        ("help run", Command(verb="help", about="run")),
        ("?", Command(verb="help")),
        ("oncall", Command(verb="oncall")),
        ("subscribe INC-1", Command(verb="subscribe", incident="INC-1")),
    ],
)  # fmt: skip
def test_what_is_meant(text: str, wanted: Command) -> None:
    assert parse(text) == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "say what you want to know or do; help lists it"),
        ("xyzzy now", 'there is no command "xyzzy"; help lists the commands'),
        ("incident", 'there is no command "incident"; did you mean "incidents"?'),
        ("incidents mine", '"mine" is no filter; there are team:…, sev:…, service:…, status:…'),
        ("snooze", "say how long, such as 30m; write: snooze [INC] DURATION"),
        ("snooze 30", '"30" has no unit'),
        ("snooze 0s", '"0s" is no time to speak of'),
        ("why INC-1 INC-2", '"INC-2" is not understood; write: why [INC]'),
        ("why because I ask", "why takes no reason"),
        ("merge because x", "an incident such as INC-3f9a1c is needed"),
        ("split INC-1", "say which alerts"),
        ("silence service=x because y", "say for how long: for 2h"),
        ("silence service=x for 2h", "say why: because …"),
        ("silence for 2h because y", "say what to silence"),
        ("silence sausage for 2h because y", "not a matcher: "),
        ("silence a=~( for 2h because y", "not a matcher: "),
        ("reject R-1", "say why: because …"),
        ("approve R-1 version", "say which version of the incident you have read, such as version 3"),
        ("approve R-1 version 0", "say which version of the incident you have read, such as version 3"),
        ("approve R-1 3", '"3" is not understood'),
        ("pause", 'say "pause all": it is for every playbook'),
        ('split "DiskFull', 'a quote (") is not closed'),
        ("x" * 5000, "a command has at most 4000 characters, this one has 5000"),
    ],
)
def test_what_is_not_understood_is_said(text: str, said: str) -> None:
    found = parse(text)
    assert isinstance(found, Misread)
    assert found.text.startswith(said) or said in found.text


@given(st.text(max_size=200) | st.lists(st.sampled_from([*BY_VERB, "INC-1", "R-1", "for", "2h", "because", '"', "{", "a=b", "all", "\\"]), max_size=8).map(" ".join))  # noqa: E501  # fmt: skip
@settings(max_examples=400, deadline=None)
def test_never_raises_and_reads_its_own_hand(text: str) -> None:
    found = parse(text)
    if isinstance(found, Command):
        assert parse(written(found)) == found


WORDS = st.text(string.ascii_letters + string.digits + ' "\\.-:ü', min_size=1, max_size=12).filter(
    lambda text: text.strip() == text and not text.lower().startswith(("inc-", "r-")) and text.strip('"') != ""
)
NAMES = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)
REASONS = st.text(string.printable, max_size=30).map(str.strip)


@st.composite
def commands(draw: st.DrawFn) -> Command:
    form = draw(st.sampled_from(FORMS))
    given_: dict[str, Any] = {}
    for slot in form.slots:
        if slot in form.optional and draw(st.booleans()):
            continue
        match slot:
            case "incident" | "other":
                given_[slot] = f"INC-{draw(NAMES)}"
            case "run":
                given_[slot] = f"R-{draw(NAMES)}"
            case "span":
                given_["seconds"] = float(draw(st.integers(1, 10**6)))
            case "matchers":
                pairs = draw(st.lists(st.tuples(NAMES, WORDS), min_size=1, max_size=3))
                given_[slot] = tuple(Matcher(name=f"l{name}", value=value) for name, value in pairs)
            case "filters":
                given_[slot] = tuple((draw(st.sampled_from(FILTERS)), draw(NAMES)) for _ in range(2))
            case "alerts":
                given_[slot] = tuple(draw(st.lists(WORDS, min_size=1, max_size=3)))
            case "all":
                pass
            case "person":
                given_[slot] = draw(NAMES)
            case "mark":
                given_[slot] = draw(st.text("0123456789abcdef", min_size=4, max_size=16))
            case "version":
                given_[slot] = draw(st.integers(1, 10**6))
            case _:
                given_[slot] = draw(WORDS.filter(lambda text: text not in {"--dry", "all"}))
    if form.because:
        because = draw(REASONS)
        given_["because"] = because or ("x" if form.because == "needed" else "")
    return Command(verb=form.verb, dry=form.dry and draw(st.booleans()), **given_)


@given(commands())
@settings(max_examples=400, deadline=None)
def test_every_command_is_read_as_it_is_written(command: Command) -> None:
    assert parse(written(command)) == command


def test_help_knows_every_command_and_its_examples_are_right() -> None:
    listed = help_text()
    for form in FORMS:
        assert form.written in listed
        assert form.summary in help_text(form.verb)
        found = parse(form.example)
        assert isinstance(found, Command), (form.example, found)
        assert found.verb == form.verb
