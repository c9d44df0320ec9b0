import pytest
from hypothesis import given
from hypothesis import strategies as st

from quell.errors import ExpressionError
from quell.expressions.matchers import Matching, matches_empty, parse_matcher, parse_matchers
from quell.model.mute import Matcher

WRITTEN = [
    ('severity="critical"', [("severity", "critical", False, True)]),
    ("severity=critical", [("severity", "critical", False, True)]),
    ('severity!="critical"', [("severity", "critical", False, False)]),
    ("team=~db|web", [("team", "db|web", True, True)]),
    ("team!~db.*", [("team", "db.*", True, False)]),
    (' a = "b" ', [("a", "b", False, True)]),
    ('{a="b",c=~"d"}', [("a", "b", False, True), ("c", "d", True, True)]),
    ('{ a="b", }', [("a", "b", False, True)]),
    ("a=b,c!=d", [("a", "b", False, True), ("c", "d", False, False)]),
    ("{}", []),
    ('"näme with spaces"="x"', [("näme with spaces", "x", False, True)]),
    ('schön="gut"', [("schön", "gut", False, True)]),
    ('a="x,y}"', [("a", "x,y}", False, True)]),
    (r'a="say \"hi\"\n"', [("a", 'say "hi"\n', False, True)]),
    (r'a="\u00e9"', [("a", "é", False, True)]),
    (r'a="\x41\101\U0001F600"', [("a", "AA😀", False, True)]),
    ('a=""', [("a", "", False, True)]),
    # what only the older grammar of Alertmanager reads
    ("a=two words", [("a", "two words", False, True)]),
    ("foo=bar=baz", [("foo", "bar=baz", False, True)]),
    (r'a=~"x\.y"', [("a", r"x\.y", True, True)]),
    ("a=~.{2}", [("a", ".{2}", True, True)]),
    ("a=", [("a", "", False, True)]),
]


@pytest.mark.parametrize(("text", "wanted"), WRITTEN, ids=[text for text, _ in WRITTEN])
def test_reads_matchers_as_alertmanager_writes_them(text, wanted):
    assert [(m.name, m.value, m.is_regex, m.is_equal) for m in parse_matchers(text)] == wanted


BAD = [
    ("", 1, "found nothing"),
    ("severity", 9, "expected one of = != =~ !~"),
    ("=b", 1, "expected a label name"),
    ('""="b"', 3, "may not be empty"),
    ('a="x', 3, "not closed"),
    (r'"\q"="b"', 2, "is not an escape"),
    (r'"\ud800"="b"', 2, "is not an escape"),
    (r'"\UFFFFFFFF"="b"', 2, "is not an escape"),
    ('a=b"c', 4, "expected a comma"),
    ('a="b" c="d"', 7, "expected a comma"),
    ('a="b"}', 6, 'without "{"'),
    ('a=~"("', 5, "not a regular expression"),
    ("a=~(?=b)", 4, "not a regular expression"),
    (r"a=~\1", 4, "not a regular expression"),
    ("a=" + "b" * 5000, 1, "4096 characters"),
]


@pytest.mark.parametrize(("text", "column", "said"), BAD, ids=[said for _, _, said in BAD])
def test_says_where_a_matcher_is_wrong(text, column, said):
    with pytest.raises(ExpressionError, match=None) as caught:
        parse_matchers(text)
    assert said in str(caught.value)
    assert caught.value.column == column


def test_a_regex_from_elsewhere_may_not_be_endless():
    with pytest.raises(ExpressionError, match="4096 characters"):
        Matching([Matcher(name="a", value=".*" * 5000, is_regex=True)])


def test_one_matcher_is_one():
    with pytest.raises(ExpressionError, match="holds 2 matchers"):
        parse_matcher("a=b,c=d")


MEANING = [
    ('a="b"', {"a": "b"}, True),
    ('a="b"', {}, False),
    ('a=""', {}, True),
    ('a!="b"', {}, True),
    ('a!="b"', {"a": "b"}, False),
    ('a=~"b|c"', {"a": "c"}, True),
    ('a=~"b|c"', {"a": "bc"}, False),
    ('a=~"b"', {"a": "xbx"}, False),
    ('a=~"|b"', {}, True),
    ('a!~"b|c"', {"a": "d"}, True),
    ('a!~"b|c"', {"a": "b"}, False),
    ('a=~".+"', {}, False),
    ('a=~".*"', {}, True),
    ('a!~".+"', {}, True),
    ('a=~"a|ab"', {"a": "ab"}, True),
    ('a=~"(?:x|y)"', {"a": "y"}, True),
    (r'a=~"1\\.2"', {"a": "1.2"}, True),
    (r'a=~"1\\.2"', {"a": "1x2"}, False),
    ('a=~"(?i)B"', {"a": "b"}, True),
    ('a=~"x(y|z)"', {"a": "xz"}, True),
    ('a=~".*"', {"a": "\ud800"}, True),
    ('a="b",c="d"', {"a": "b", "c": "d"}, True),
    ('a="b",c="d"', {"a": "b"}, False),
    ("{}", {"a": "b"}, True),
]


@pytest.mark.parametrize(
    ("text", "labels", "wanted"), MEANING, ids=[f"{text} on {labels!a}" for text, labels, _ in MEANING]
)
def test_matches_as_prometheus_does(text, labels, wanted):
    assert Matching(parse_matchers(text)).matches(labels) is wanted


def test_tells_which_matchers_hold_without_the_label():
    held = {text: matches_empty(parse_matcher(text)) for text in ('a=""', 'a!="b"', 'a=~".*"', "a=~.+", "a=b", "a!~b")}
    assert held == {'a=""': True, 'a!="b"': True, 'a=~".*"': True, "a=~.+": False, "a=b": False, "a!~b": True}


@given(st.text(max_size=40))
def test_reading_raises_nothing_else(text):
    column = 0
    try:
        Matching(parse_matchers(text)).matches({"a": text})
    except ExpressionError as error:
        column = error.column
    assert 0 <= column <= len(text) + 1


@given(st.text(min_size=1, max_size=20), st.text(max_size=20), st.booleans(), st.text(max_size=20))
def test_what_a_matcher_prints_is_read_back(name, value, equal, other):
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    matcher = Matcher(name=name, value=value, is_equal=equal)
    assert parse_matcher(quoted + str(matcher)[len(name) :]) == matcher
    assert Matching([matcher]).matches({name: other}) is ((other == value) is equal)


@given(st.lists(st.text("ab.|\\(", max_size=3), min_size=1, max_size=4), st.text("ab.|(", max_size=3))
def test_the_quick_way_for_alternatives_agrees_with_the_regex(parts, value):
    literal = "|".join("".join("\\" + sign if sign in "\\.|()" else sign for sign in part) for part in parts)
    quick = Matching([Matcher(name="a", value=literal, is_regex=True)])
    slow = Matching([Matcher(name="a", value=f"(?s:{literal})", is_regex=True)])
    assert quick.matches({"a": value}) == slow.matches({"a": value}) == (value in parts)
