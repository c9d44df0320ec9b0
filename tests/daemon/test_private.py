"""Rules of what is personal at work within the daemon: on what could not be read, and when they change."""

from __future__ import annotations

import msgspec
import pytest

from daemon.chatroom import in_a_loop
from daemon.parts import loaded, running
from quell.config import Loaded
from quell.daemon import aside
from quell.daemon.private import Private
from quell.model.playbook import Place
from quell.model.records import AlertRecord
from quell.model.rulebook import Rulebook
from quell.privacy.rules import Personal, PrivacyRules
from quell.privacy.texts import Texts
from quell.sdk.connector import Request
from quell.store.memory import MemoryStore
from quell.store.port import Quarantined

MAIL = "ann@example.org"
RULES = PrivacyRules(
    key=b"0123456789abcdef",
    rules=(Personal(fields=("user_id",), patterns=("email",), place=Place(file="quell.yaml", line=3)),),
)
TEXTS = Texts(RULES)


def entry(payload: bytes, path: str = "/in/hook", **headers: str) -> Quarantined:
    request = Request("POST", path, payload, {"content-type": "text/plain", **headers}, (("user_id", "17"), ("x", "y")))
    return aside.whole(1.0, "hook", request, f'title: "{MAIL}" is not known')


@pytest.mark.parametrize(
    ("payload", "kept"),
    [
        (b'{"user_id": 17, "a": ["ann@example.org"]}', '{"user_id":"U","a":["M"]}'),
        (b'{"user_id": "17", "a": "ann@example.org', '{"user_id": "U", "a": "M'),
        (b'{"user_id": 17}\n{"b":\nuser_id=17', '{"user_id":"U"}\n{"b":\nuser_id=U'),
        (b'{"a":  1}', '{"a":  1}'),
        (b"", ""),
        (b"\x00\xff\x10ann@example.org", "(18 bytes that are no text were not kept: they may hold personal data)"),
        (b"\n\x07user_id\x12\x04\n\x0217", "(15 bytes that are no text were not kept: they may hold personal data)"),
        (b"\x1b[31m user_id=17 \x1b[0m", "\x1b[31m user_id=U \x1b[0m"),
        ("é".encode()[:1] + b" " * 200, "(201 bytes that are no text were not kept: they may hold personal data)"),
    ],
)
def test_what_could_not_be_read_is_kept_without_what_is_personal(payload: bytes, kept: str) -> None:
    (told,) = Private(RULES).aside([entry(payload)])
    wanted = kept.replace("U", TEXTS.token("17")).replace("M", TEXTS.token(MAIL))
    assert told.payload.decode() == wanted
    assert told.reason == f'title: "{TEXTS.token(MAIL)}" is not known'
    assert told.whole == (bool(payload) and "not kept" not in kept)


def test_it_can_be_tried_again_and_gives_the_same_tokens() -> None:
    private = Private(RULES)
    (told,) = private.aside([entry(b'{"user_id": 17}', user_id="17")])
    again = aside.request_of(told)
    assert again.query == (("user_id", TEXTS.token("17")), ("x", "y"))
    assert again.headers["user_id"] == TEXTS.token("17")
    (twice,) = private.aside([aside.whole(2.0, "hook", again, "still not")])
    assert twice.payload == told.payload


def test_without_rules_nothing_is_looked_at() -> None:
    private = Private(PrivacyRules())
    records, entries = [AlertRecord(at=1.0, status="firing", labels={"user_id": MAIL})], [entry(b"\x00")]
    assert private.records(records) is records
    assert private.aside(entries) is entries
    assert private.text(MAIL) == MAIL


@in_a_loop
async def test_rules_are_taken_up_by_a_reload_and_hold_from_then_on() -> None:
    before, store = loaded(), MemoryStore()
    after = Loaded(msgspec.structs.replace(before.settings, privacy=RULES), Rulebook(version="2"))
    async with running(before, store=store, load=lambda: after) as place:
        alert = AlertRecord(at=1.0, status="firing", labels={"alertname": "a", "user_id": "17"})
        await place.daemon.inbox.put([alert])
        await place.daemon._reload()
        await place.daemon.inbox.put([alert])
        assert place.daemon.masker.text(f"from {MAIL}") == f"from {TEXTS.token(MAIL)}"
        kept = [one for group in store.groups_after(0) for one in group.records if isinstance(one, AlertRecord)]
        assert [one.labels["user_id"] for one in kept] == ["17", TEXTS.token("17")]


def test_what_sources_remember_is_sealed_where_it_is_personal() -> None:
    private = Private(RULES)
    given = {"poll": f'{{"firing":[[{{"user_id":"17","mail":"{MAIL}"}},1.5,null]]}}', "sql": "2026-11-21T00:00:00Z"}
    kept = private.cursors(given)
    assert kept["sql"] == given["sql"], "a time says nothing of anybody"
    assert kept["poll"].startswith("sealed:")
    assert not any(word in kept["poll"] for word in ("user_id", MAIL, "firing"))
    assert kept == private.cursors(given), "alike, or each pull would write"
    assert private.opened(kept) == given
    other = Private(msgspec.structs.replace(RULES, key=b"fedcba9876543210"))
    assert other.opened(kept) == {"sql": given["sql"]}, "it begins anew"
    assert private.opened({"poll": kept["poll"][:-4]}) == private.opened({"poll": "sealed:?"}) == {}
    assert Private(PrivacyRules()).cursors(given) is given
    rules_gone = Private(PrivacyRules(key=RULES.key))
    assert rules_gone.opened(kept) == given


@in_a_loop
async def test_the_inbox_keeps_no_cursor_in_which_somebody_is_named() -> None:
    given, store = loaded(), MemoryStore()
    given = Loaded(msgspec.structs.replace(given.settings, privacy=RULES), Rulebook())
    async with running(given, store=store) as place:
        await place.daemon.inbox.put((), cursors={"poll": f'{{"mail": "{MAIL}"}}'})
        kept = store.recover().cursors
    assert MAIL not in str(kept)
    assert place.daemon.inbox.private.opened(kept) == {"poll": f'{{"mail": "{MAIL}"}}'}
