"""Text becomes a command. One grammar for slash commands, mentions, the command line and HTTP; it never raises.

The verb comes first, then what it is about, then ``because`` and a reason. Names of incidents and runs look like
``INC-3f9a1c`` and ``R-0c7e5f91``, so that one may be left out where the thread says which.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import msgspec

from quell.chatops.forms import BY_VERB, Form
from quell.chatops.words import MOST_TEXT, Unclosed, Word, plain, quoted, words
from quell.errors import ExpressionError
from quell.expressions.matchers import parse_matchers
from quell.model.mute import Matcher
from quell.model.times import format_duration, parse_duration

FILTERS = ("team", "sev", "service", "status")
_INCIDENT = re.compile(r"INC-[0-9A-Za-z._-]{1,60}", re.IGNORECASE)
_RUN = re.compile(r"R-[0-9A-Za-z._-]{1,60}", re.IGNORECASE)
_MENTION = re.compile(r"<@([^|>\s]+)(?:\|[^>]*)?>|@?(\S+)")
_MARK = re.compile(r"[0-9a-f]{4,16}", re.IGNORECASE)
_NAMED = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*(?:=~|!~|!=|=).*", re.DOTALL)
_DRY = frozenset({"--dry", "—dry", "–dry", "--dry-run"})
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_LONGEST_S = 10 * 365 * 86400.0
_SAME = {"acknowledge": "ack", "list": "incidents", "?": "help", "close": "resolve", "resume": "unpause"}
"""What people type, and what they mean."""


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody wants. Names are as they were typed: whether there is such a thing is not known here."""

    verb: str
    incident: str = ""
    other: str = ""
    run: str = ""
    playbook: str = ""
    person: str = ""
    silence: str = ""
    alerts: tuple[str, ...] = ()
    matchers: tuple[Matcher, ...] = ()
    filters: tuple[tuple[str, str], ...] = ()
    seconds: float | None = None
    mark: str = ""
    version: int | None = None
    about: str = ""
    dry: bool = False
    because: str = ""


class Misread(msgspec.Struct, frozen=True):
    """A text that is no command: why, and how it would be one."""

    text: str


def parse(text: str) -> Command | Misread:
    """The command that a text is, or why it is none. Never raises."""
    if len(text) > MOST_TEXT:
        return Misread(f"a command has at most {MOST_TEXT} characters, this one has {len(text)}")
    try:
        found, reason_at = words(plain(text))
    except Unclosed:
        return Misread('a quote (") is not closed')
    because = text[reason_at:].strip() if reason_at >= 0 else ""
    if not found:
        return Misread("say what you want to know or do; help lists it")
    named = found[0].text.lower().lstrip("/")
    if named == "quell" and len(found) > 1:
        return parse(text[found[1].start :])
    verb = _SAME.get(named, named)
    form = BY_VERB.get(verb)
    if form is None:
        close = get_close_matches(verb, BY_VERB, 1)
        hint = f'did you mean "{close[0]}"?' if close else "help lists the commands"
        return Misread(f'there is no command "{found[0].text[:40]}"; {hint}')
    try:
        return _Reader(form, found[1:]).read(because, asked=reason_at >= 0)
    except _Wrong as wrong:
        return Misread(f"{wrong}; write: {form.written}")


class _Wrong(Exception):
    """Words that do not fit; the message says which."""


class _Reader:
    """Takes the words behind a verb, slot by slot."""

    def __init__(self, form: Form, left: list[Word]) -> None:
        self._form = form
        self._left = left
        self._dry = False
        if form.dry:
            self._left = [word for word in left if word.raw not in _DRY]
            self._dry = len(self._left) < len(left)

    def read(self, because: str, *, asked: bool) -> Command:
        form = self._form
        if asked and not form.because:
            raise _Wrong(f"{form.verb} takes no reason")
        given: dict[str, Any] = {}
        for slot in form.slots:
            taker: Callable[[], object] = getattr(self, f"_{slot}")
            value = taker()
            if value:
                given["seconds" if slot == "span" else slot] = value
            elif slot not in form.optional and slot != "all":
                raise _Wrong(_missing(slot))
        if self._left:
            raise _Wrong(f'"{self._left[0].text[:60]}" is not understood')
        if form.because == "needed" and not because:
            raise _Wrong("say why: because …")
        if form.verb == "silence":
            given |= _of_incident(given)
        return Command(verb=form.verb, because=because, dry=self._dry, **given)

    def _take(self, fits: Callable[[str], object] = bool) -> str:
        if self._left and fits(self._left[0].text):
            return self._left.pop(0).text
        return ""

    def _incident(self) -> str:
        if self._form.verb == "merge" and sum(bool(_INCIDENT.fullmatch(word.text)) for word in self._left) < 2:
            return ""
        return self._take(_INCIDENT.fullmatch)

    def _other(self) -> str:
        found = self._take(_INCIDENT.fullmatch)
        if not found:
            raise _Wrong("an incident such as INC-3f9a1c is needed")
        return found

    def _run(self) -> str:
        return self._take(_RUN.fullmatch)

    def _playbook(self) -> str:
        return self._take(lambda text: text and not _INCIDENT.fullmatch(text))

    def _person(self) -> str:
        found = _MENTION.fullmatch(self._take())
        return (found[1] or found[2] or "") if found else ""

    def _span(self) -> float | None:
        if not self._left:
            return None
        text = self._left[0].text
        if text.lower() == "for" and len(self._left) > 1:
            self._left.pop(0)
            text = self._left[0].text
        try:
            seconds = parse_duration(text)
        except ValueError as error:
            raise _Wrong(str(error)) from None
        if not 1 <= seconds <= _LONGEST_S:
            raise _Wrong(f'"{text[:40]}" is no time to speak of')
        self._left.pop(0)
        return seconds

    def _alerts(self) -> tuple[str, ...]:
        found = tuple(word.text for word in self._left if word.text)
        self._left = []
        return found

    def _silence(self) -> str:
        return self._take()

    def _about(self) -> str:
        return self._take()

    def _mark(self) -> str:
        return self._take(_MARK.fullmatch).lower()

    def _version(self) -> int | None:
        if not self._take(lambda text: text.lower() in {"version", "--version"}):
            return None
        text = self._take(_NUMBER.fullmatch)
        if not text:
            raise _Wrong("say which version of the incident you have read, such as version 3")
        return int(text)

    def _all(self) -> str:
        if self._take(lambda text: text.lower() == "all"):
            return ""
        raise _Wrong(f'say "{self._form.verb} all": it is for every playbook')

    def _filters(self) -> tuple[tuple[str, str], ...]:
        found: list[tuple[str, str]] = []
        for word in self._left:
            name, _, value = word.text.partition(":")
            if name.lower() not in FILTERS or not value:
                raise _Wrong(f'"{word.text[:60]}" is no filter; there are {", ".join(f"{one}:…" for one in FILTERS)}')
            found.append((name.lower(), value))
        self._left = []
        return tuple(found)

    def _matchers(self) -> tuple[Matcher, ...] | list[str]:
        """All words before the last ``for``; an incident may stand instead."""
        ends = [at for at, word in enumerate(self._left) if word.raw.lower() == "for"]
        if not ends:
            raise _Wrong("say for how long: for 2h")
        mine, self._left = self._left[: ends[-1]], self._left[ends[-1] :]
        if len(mine) == 1 and _INCIDENT.fullmatch(mine[0].text):
            return [mine[0].text]
        if not mine:
            raise _Wrong("say what to silence, such as service=checkout")
        pieces = [word.raw.rstrip(",") for word in mine]
        try:
            if all(_NAMED.fullmatch(piece) for piece in pieces):
                return parse_matchers(",".join(pieces))
            return parse_matchers(" ".join(word.raw for word in mine))
        except ExpressionError as error:
            raise _Wrong(f"not a matcher: {error}") from None


def _of_incident(given: dict[str, Any]) -> dict[str, Any]:
    """A silence for what fires in an incident has its name instead of matchers."""
    said = given["matchers"]
    return {"matchers": (), "incident": said[0]} if isinstance(said, list) else {"matchers": said}


def _missing(slot: str) -> str:
    return {
        "span": "say how long, such as 30m",
        "person": "say who, such as @ana",
        "playbook": "say which playbook",
        "alerts": "say which alerts",
        "silence": "say which silence; silences lists them",
    }.get(slot, f"the {slot} is missing")


def written(command: Command) -> str:
    """The command as somebody would type it; `parse` makes the same of it."""
    form = BY_VERB[command.verb]
    parts = [command.verb]
    for slot in form.slots:
        match slot:
            case "span":
                if command.seconds is not None:
                    parts += ["for"] if command.verb == "silence" else []
                    parts.append(format_duration(command.seconds))
            case "matchers":
                known = ", ".join(str(matcher) for matcher in command.matchers)
                parts.append(command.incident or known)
            case "filters":
                parts += [quoted(f"{name}:{value}") for name, value in command.filters]
            case "alerts":
                parts += [quoted(mark) for mark in command.alerts]
            case "all":
                parts.append("all")
            case "version":
                parts += [f"version {command.version}"] if command.version is not None else []
            case _:
                value = getattr(command, slot)
                parts += [quoted(value)] if value else []
    if command.dry:
        parts.append("--dry")
    if command.because:
        parts.append(f"because {command.because}")
    return " ".join(parts)


def help_text(about: str = "") -> str:
    """All commands, or what one of them is."""
    form = BY_VERB.get(_SAME.get(about.lower(), about.lower()))
    if form is not None:
        return f"{form.written}\n{form.summary}\nfor example: {form.example}"
    lines = [f"{one.written}: {one.summary}" for one in BY_VERB.values()]
    return "\n".join([*lines, "In a thread an incident or run may be left out: the thread says which."])
