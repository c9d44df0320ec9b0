"""What becomes of texts and named values by rules of what is personal."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quell.errors import ExpressionError
from quell.expressions.personal import KINDS, known, never, own, searcher
from quell.model.playbook import Place
from quell.privacy.rules import Personal, PrivacyRules
from quell.privacy.texts import TOKEN, Texts

PLACE = Place(file="quell.yaml", line=3)
KEY = b"0123456789abcdef0123456789abcdef"


def texts(*rules: dict[str, Any], key: bytes = KEY, **more: Any) -> Texts:
    return Texts(PrivacyRules(key=key, rules=tuple(Personal(place=PLACE, **rule) for rule in rules), **more))


def found(kind: str, text: str) -> list[str]:
    data = text.encode()
    return [data[span.start : span.end].decode() for span in known(kind).found(data)]


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (
            "email",
            "from <ann.o+x@mail.example.com>, jürgen@exämple.de; not a@b",
            ["ann.o+x@mail.example.com", "jürgen@exämple.de"],
        ),
        ("email", "a@x.de b@x.de", ["a@x.de", "b@x.de"]),
        (
            "card",
            "4111 1111 1111 1111 123, 5555-5555-5555-4444, 1234567890123456, 4111111111111112",
            ["4111 1111 1111 1111", "5555-5555-5555-4444"],
        ),
        ("card", "order 4000 4111111111111111", ["4111111111111111"]),
        (
            "iban",
            "DE89 3704 0044 0532 0130 00 or GB82WEST12345698765432; DE89 3704 0044 0532 0130 01",
            ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"],
        ),
        (
            "phone",
            "+49 30 1234567, (030) 1234567, 212-555-1234, 030 1234567",
            ["+49 30 1234567", "(030) 1234567", "212-555-1234", "030 1234567"],
        ),
        ("phone", "2026-11-21T10:00:00+01:00 1731000000.123456 10.200.100.1 v1.2.3 0123-4567 12345678", []),
        ("ip", "10.0.0.1:9100 and 10.0.0.2, [2001:db8::1]:80", ["10.0.0.1", "10.0.0.2", "2001:db8::1"]),
        ("ip", "1.2.3.4.5, 999.1.1.1, std::vec, 12:30:45, ::1, v1.2.3, a::b", []),
    ],
)
def test_what_is_personal_is_found(kind: str, text: str, expected: list[str]) -> None:
    assert found(kind, text) == expected


def test_what_the_hint_overlooks_no_pattern_finds() -> None:
    told = "ann@x.de 4111 1111 1111 1111 DE89 3704 0044 0532 0130 00 +49 30 1234567 10.0.0.1 2001:db8::1"
    for word in told.split(" "):
        for kind in KINDS:
            if found(kind, f"x\n{word}"):
                assert searcher([known(kind).hint])(b'{"text":"x\\n' + word.encode() + b'"}'), (kind, word)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["a" * 50_000 + "@", "+1" * 20_000, "4111 " * 4_000, "1.2.3." * 8_000, "a:" * 20_000])
def test_no_text_takes_long(kind: str, text: str) -> None:
    began = time.process_time()
    found(kind, text)
    assert time.process_time() - began < 3


def test_an_expression_of_ones_own_cannot_run_away() -> None:
    began = time.process_time()
    pattern = own(r"(a+)+$|(x|xx)*y")
    assert list(pattern.found(b"a" * 100_000 + b"!")) == []
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("(", "is not a regular expression"),
        ("a*", "matches the empty text"),
        ("x" * 501, "500 characters"),
        ("[a-z]{900}[0-9]{900}[A-Z]{900}[a-f]{900}[ab]{900}[cd]{900}", "large"),
    ],
)
def test_bad_expressions_are_refused(expression: str, said: str) -> None:
    with pytest.raises(ExpressionError, match=said):
        own(expression)


@pytest.mark.parametrize(
    ("expression", "is_never"),
    [
        ("a^b", True),
        ("$a", True),
        (r"[^\s\S]", True),
        ("^abc$", False),
        ("x|$a", False),
        (r"E-\d{6}", False),
        ("[$]5", False),
    ],
)
def test_expressions_that_can_never_match(expression: str, is_never: bool) -> None:
    assert never(expression) is is_never


def test_the_same_value_is_the_same_token_wherever_it_comes_from() -> None:
    at_work = texts({"fields": ("user_id", "customer_*"), "patterns": ("email",)})
    token = at_work.token("ann@x.de")
    assert TOKEN.fullmatch(token)
    assert at_work.value("user_id", "ann@x.de") == token
    assert at_work.text("said by ann@x.de today") == f"said by {token} today"
    assert at_work.text("GET /?User_Id=ann@x.de&x=1") == f"GET /?User_Id={token}&x=1"
    assert at_work.value("customer_no", 17) == at_work.value("user_id", "17") == at_work.value("user_id", 17.0)
    assert at_work.token("ann@x.de") == token
    assert at_work.value("user_id", token) == token, "a token comes back: it is not made into another"
    assert texts({"fields": ("user_id",)}, key=b"another key 0123456").token("ann@x.de") != token


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("user_id=17 failed", "user_id=T failed"),
        ("user_id: '17 8', x", "user_id: 'T', x"),
        ('{"user_id": "a \\" b", "n": 1}', '{"user_id":"T","n":1}'),
        ('{\\"user_id\\":\\"17\\"}', '{\\"user_id\\":\\"T\\"}'),
        ("user_id => 17;", "user_id => T;"),
        ("user_id=<*> xuser_id=17 user_id_count", "user_id=<*> xuser_id=17 user_id_count"),
    ],
)
def test_values_of_fields_within_texts(text: str, kept: str) -> None:
    at_work = texts({"fields": ("user_id",)})
    told = at_work.text(text)
    for token in set(TOKEN.findall(told)):
        told = told.replace(token, "T")
    assert told == kept


def test_what_is_done_with_it() -> None:
    at_work = texts(
        {"fields": ("a",), "patterns": ("email",), "do": "mask"}, {"fields": ("b",), "own": (r"E-\d+",), "do": "drop"}
    )
    assert at_work.named({"a": "x", "b": "y", "c": "z"}) == {"a": "(a)", "c": "z"}
    assert at_work.text("ann@x.de has E-17, a=1") == "(email) has …, a=(personal)"
    assert TOKEN.fullmatch(at_work.name("ann@x.de")), "ids keep apart what they kept apart"


def test_only_the_group_of_an_expression_is_meant() -> None:
    at_work = texts({"own": (r"employee (\d+)",), "do": "mask"})
    assert at_work.text("employee 17 came") == "employee (personal) came"


def test_what_is_to_be_kept() -> None:
    at_work = texts(
        {"fields": ("*mail*",), "patterns": ("email",)},
        keep=("mail_server", "author"),
        keep_values=(r"@example\.com$",),
    )
    kept = {"mail_server": "ann@x.de", "author": "ann@x.de", "text": "git@example.com mail_server=mx1"}
    assert at_work.named(kept) == kept
    assert TOKEN.fullmatch(at_work.named({"mail": "x"})["mail"])


def test_whatever_json_holds() -> None:
    at_work = texts({"fields": ("user",), "patterns": ("email", "card")})
    told = at_work.anything(
        {"a": [{"user": {"name": "x"}}, "ann@x.de"], "n": 4111111111111111, "b": True, "ann@x.de": None}
    )
    assert "ann" not in str(told)
    assert "4111" not in str(told)
    assert TOKEN.fullmatch(told["a"][0]["user"])
    assert told["b"] is True


@given(st.text(alphabet=st.characters(), max_size=200))
def test_nothing_happens_to_other_texts_and_nothing_breaks(text: str) -> None:
    at_work = texts({"fields": ("user_id",), "patterns": KINDS, "own": (r"E-\d{6}",)})
    told = at_work.text(text)
    assert at_work.text(told) == told
    at_work.name(text)
    if not any(letter in text for letter in "@:.+0123456789=") and "user_id" not in text:
        assert told == text


@pytest.mark.parametrize(
    ("glob", "name", "other"),
    [("u[0123456789]", "u7", "ux"), ("user[!_]id", "user-id", "user_id"), ("[a-c]*_key", "B1_key", "d1_key")],
)
def test_globs_with_sets_of_letters(glob: str, name: str, other: str) -> None:
    at_work = texts({"fields": (glob,)})
    assert at_work.suspects(f'{{"{name}": "ann"}}'.encode()), "what is not looked at would pass"
    assert TOKEN.fullmatch(at_work.named({name: "ann"})[name])
    assert at_work.text(f"{name}=ann") == f"{name}={at_work.token('ann')}"
    assert at_work.named({other: "ann"}) == {other: "ann"}


def test_no_token_is_made_of_a_part_of_a_token() -> None:
    at_work = texts({"fields": ("user",), "patterns": ("email",), "own": (r"\d{5}", "[a-f]{3}")})
    for number in range(60):
        mail = f"ann{number}@example.org"
        token = at_work.token(mail)
        assert at_work.text(f"{mail} fails") == f"{token} fails"
        assert at_work.text(f"user={mail} fails") == f"user={token} fails"
        assert at_work.text(token) == at_work.name(f"pod/{token}").removeprefix("pod/") == token
    assert "12345" not in at_work.text("account_1234512345123451")


@pytest.mark.parametrize("end", [".", ":", "!", "?", "...", "", ", he says", ".\n"])
def test_the_end_of_a_sentence_is_no_part_of_a_value(end: str) -> None:
    at_work = texts({"fields": ("user_id",)})
    assert at_work.text(f"paid by user_id=1.7{end}") == f"paid by user_id={at_work.token('1.7')}{end}"


def test_values_in_links_are_found_as_links_write_them() -> None:
    at_work = texts({"fields": ("user_id",), "patterns": ("email", "phone")})
    user, mail, phone = map(at_work.token, ("17", "ann@example.org", "+4915112345678"))
    links = "https://g.example/new?matcher=user_id%3D17&orgId=1 and /u/ann%40example.org?n=%2B4915112345678"
    told = at_work.text(f"see {links}")
    assert told == f"see https://g.example/new?matcher=user_id={user}&orgId=1 and /u/{mail}?n={phone}"
    assert "17" not in at_work.text("/graph?g0.expr=x%7Buser_id%3D%2217%22%7D").replace(user, "")
    assert mail in at_work.text("/login?next=%2Fu%3Fm%3Dann%2540example.org"), "twice"
    other = "https://g.example/d?q=a%20b%2Fc%FF 100% user_id 50%25"
    assert at_work.text(other) == other
    assert at_work.suspects(b'{"url": "/u/ann%40example.org"}')
    assert at_work.text("user_id %" + "25" * 100_000 + "40x.de"), "no depth without end"


def test_a_text_that_is_json_is_read_by_the_names_in_it() -> None:
    at_work = texts({"fields": ("user_id", "customer"), "patterns": ("email",)}, {"fields": ("gone",), "do": "drop"})
    told = at_work.text('{"user_id":["17","18"],"customer":{"name":"Ann"},"gone":[1],"n":1,"to":"ann@x.de"}')
    assert msgspec.json.decode(told).keys() == {"user_id", "customer", "n", "to"}
    assert not any(word in told for word in ('"17"', "Ann", "gone", "ann@"))
    assert at_work.text(told) == told
    twice = at_work.text('{"to":"ann@x.de","to":"b"}')
    assert "ann@" not in twice, "also what a reader of JSON does not see"
    other = '{ "a": 1.10, "customers": [] }'
    assert at_work.text(other) == other
    assert at_work.text("[" * 5_000 + "user_id")
