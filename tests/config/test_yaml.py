import pytest
from hypothesis import given
from hypothesis import strategies as st

from quell.config.nodes import read_document

CORE_SCALARS = [
    ("NO", "NO"),
    ("yes", "yes"),
    ("on", "on"),
    ("22:22", "22:22"),
    ("2026-03-01", "2026-03-01"),
    ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z"),
    ("0x1F", 31),
    ("0o17", 15),
    ("017", 17),
    ("1_000", "1_000"),
    ("1.10", 1.1),
    ("1e3", 1000.0),
    ("-.5", -0.5),
    ("+7", 7),
    (".inf", float("inf")),
    ("true", True),
    ("False", False),
    ("null", None),
    ("~", None),
    ("", None),
    ("1.2.3", "1.2.3"),
    ("'1'", "1"),
    ('"true"', "true"),
    ("9" * 41, "9" * 41),
    ("=", "="),
    ("<<", "<<"),
    ("${incident.id}", "${incident.id}"),
]


@pytest.mark.parametrize(("written", "meant"), CORE_SCALARS, ids=[text[:20] or "nothing" for text, _ in CORE_SCALARS])
def test_scalars_are_those_of_yaml_1_2(written, meant):
    document, problems = read_document("f.yaml", f"a: {written}\n".encode())
    assert not problems
    assert document.value == {"a": meant}
    assert type(document.value["a"]) is type(meant)


BAD = [
    ("the same key twice", b"a: 1\nb: 2\na: 3\n", 3, 1, 'the key "a" stands here twice (first in line 1)'),
    ("twice with more inside", b"a: {x: 1}\na: {x: {y: 2}, z: [3]}\n", 2, 1, 'the key "a" stands here twice'),
    ("twice inside", b"x:\n  - {a: 1, a: 2}\n", 2, 12, 'the key "a" stands here twice (first in line 2)'),
    ("an anchor", b"a: &x 1\n", 1, 4, 'the anchor "&x" is not allowed'),
    ("an alias", b"a: &x 1\nb: *x\n", 2, 4, 'the alias "*x" is not allowed'),
    ("a tag", b"a: !!python/name:os.system x\n", 1, 4, 'the tag "!!python/name:os.system" is not allowed'),
    ("a local tag", b"a: !secret x\n", 1, 4, 'the tag "!secret" is not allowed'),
    ("an unquoted reference in a list", b"a: [x, ${b.c}]\n", 1, 8, '"${b.c}" stands unquoted inside [ ] or { }'),
    ("an unquoted reference in a mapping", b"s:\n  - {to: ${b}}\n", 2, 10, 'write it in quotes: "${b}"'),
    ("a tab", b"a:\n\tb: 1\n", 2, 1, "a tab may not indent YAML"),
    ("two colons", b"a: b: c\n", 1, 5, 'quote a text that holds ": "'),
    ("an at sign", b"a: @x\n", 1, 4, 'quote a text that begins with "@"'),
    ("an open quote", b"a: 'x\nb: 1\n", 1, 4, "a quoted text is not closed"),
    ("an open list", b"a: [1, 2\n", 2, 1, "not YAML"),
    ("two documents", b"a: 1\n---\nb: 2\n", 2, 1, "a file holds one YAML document"),
    ("a list as key", b"? [a]\n: 1\n", 1, 3, "a key must be plain text"),
    ("no key", b"?\n: 2\n", 1, 2, "a key is missing before the colon"),
    ("too deep", b"a: " + b"[" * 25 + b"]" * 25, 1, 23, "nested deeper than 20"),
    ("far too deep", b"[" * 5000, 1, 21, "nested deeper than 20"),
    ("not UTF-8", b"a: 1\nb: caf\xe9\n", 2, 7, "not UTF-8"),
    ("a NUL", b"a: 1\nb: x\x00y\n", 2, 5, "control character"),
    ("a bell", b"a: \x07\n", 1, 4, "control character"),
    ("too large", b"# " + b"x" * 262_144, 0, 0, "larger than 256 kB"),
]


@pytest.mark.parametrize(("data", "line", "column", "said"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_says_what_is_wrong_and_where(data, line, column, said):
    _, problems = read_document("f.yaml", data)
    assert said in f"{problems[-1].message}; {problems[-1].suggestion}"
    assert (problems[-1].file, problems[-1].line, problems[-1].column) == ("f.yaml", line, column)


def test_shows_every_surprise_at_once():
    _, problems = read_document("f.yaml", b"a: &x 1\nb: *x\na: !t 2\n")
    assert [problem.line for problem in problems] == [1, 2, 3, 3]


def test_an_alias_bomb_costs_nothing():
    lines = [b"a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]".encode() for n in range(1, 60)]
    document, problems = read_document("f.yaml", b"\n".join(lines))
    assert len(problems) == 60 + 2 * 59
    assert document.value["a59"] == [None, None]


def test_a_byte_order_mark_and_comments_are_nothing():
    document, problems = read_document("f.yaml", b"\xef\xbb\xbf# only a comment\n")
    assert document.value is None
    assert not problems


def test_marks_the_place_in_the_line():
    document, _ = read_document("f.yaml", b"steps:\n  - do: kubernetes.rolback\n")
    problem = document.problem(("steps", 0, "do"), 'unknown action "kubernetes.rolback"', 'did you mean "x"?')
    assert str(problem) == (
        'f.yaml:2:9: unknown action "kubernetes.rolback"; did you mean "x"?\n'
        "    2 |   - do: kubernetes.rolback\n"
        "      |         ^^^^^^^^^^^^^^^^^^"
    )


@pytest.mark.parametrize(
    ("text", "offset", "place"),
    [
        ("a: bcd", 2, (1, 5)),
        ('a: "bcd"', 2, (1, 6)),
        ("a: >-\n  bcd\n  efg\n", 6, (3, 4)),
        ("a: |\n  bcd\n  efg\n", 5, (3, 3)),
        ('a: "b\\"d"', 3, (1, 4)),
    ],
)
def test_finds_a_character_inside_a_text(text, offset, place):
    document, _ = read_document("f.yaml", text.encode())
    problem = document.problem(("a",), "here", offset=offset)
    assert (problem.line, problem.column) == place


def test_a_line_with_a_secret_is_not_shown():
    document, _ = read_document("quell.yaml", b"token: hunter2\nname: x\n", private=True)
    assert "hunter2" not in str(document.problem(("token",), "wrong"))
    assert "name: x" in str(document.problem(("name",), "wrong"))


@pytest.mark.parametrize("character", ["\x00", "\x7f", "\x80", "\x9f", "\uffff"])
def test_a_control_character_is_named_at_its_place(character):
    document, (problem,) = read_document("f.yaml", f"a: 1\nb: {character}\n".encode())
    assert document is None
    assert (problem.line, problem.column) == (2, 4)
    assert "control character" in problem.message


@given(st.binary(max_size=60) | st.text("ab:-[]{}&*!|>'\"#%@,? \n\t", max_size=60).map(str.encode))
def test_reading_never_raises(data):
    document, problems = read_document("f.yaml", data)
    assert document is not None or problems
