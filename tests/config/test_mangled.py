"""Whatever stands in the files, checking tells about it and raises nothing."""

import pathlib
import tempfile

from hypothesis import given, settings
from hypothesis import strategies as st

from config.test_playbooks import GOOD
from config.test_rules import ALL
from config.test_settings import FULL
from config.written import SPECS, write
from quell.config import check, load, watched
from quell.config.nodes import read_document
from quell.errors import Misconfigured

FILES = {"quell.yaml": FULL, "rules/r.yaml": ALL, "playbooks/p.yaml": GOOD, "keys.yaml": "tokens: [{id: a}]\n"}
JUNK = st.sampled_from([
    "", "~", "[]", "{}", "[[]]", "{a: b}", "[1, x]", "true", "-1", "0", "1e400", ".nan", "9" * 30, "x", '""', "${",
    "${x}", '"${"', '"${steps}"', '"${steps.a.b.c}"', "'a=~\"(\"'", "2026-01-01", "&a x", "*a", "!t x", "|\n  x",
    "\t", "\x00", "\ud7ff", "a: b: c", "- x",
    "? x", "env:", "file:/", "file:.", "é/é",
])  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_a_mangled_line(name, data):
    lines = FILES[name].split("\n")
    at = data.draw(st.integers(0, len(lines) - 1))
    before, colon, _ = lines[at].partition(": ")
    lines[at] = before + colon + data.draw(JUNK)
    _checks({**FILES, name: "\n".join(lines)})


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.binary(max_size=12), st.data())
def test_mangled_bytes(name, junk, data):
    whole = FILES[name].encode()
    at = data.draw(st.integers(0, len(whole)))
    _checks({**FILES, name: whole[:at] + junk + whole[at + data.draw(st.integers(0, 20)) :]})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | JUNK,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(FILES)), VALUES, st.data())
def test_a_value_of_any_other_kind(name, value, data):
    document, _ = read_document(name, FILES[name].encode())
    whole = document.value
    here = whole
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        key = data.draw(st.sampled_from(keys))
        if not here[key] or not isinstance(here[key], (dict, list)) or data.draw(st.booleans()):
            break
        here = here[key]
    here[key] = value
    _checks({**FILES, name: _flow(whole)})


def _flow(value):
    """YAML in flow style for a value."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(str(key))}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(sign):08x}" for sign in value) + '"'
    return {None: "null", True: "true", False: "false"}.get(value, str(value))


def _checks(files):
    with tempfile.TemporaryDirectory() as name:
        place = write(pathlib.Path(name), files)
        found = check(place, SPECS, {"KEY": "k"})
        assert found == sorted(found)
        assert all(problem.message and "Traceback" not in problem.message for problem in found)
        watched(place)
        if not found:
            load(place, SPECS, {"KEY": "k"})
            return
        caught = None
        try:
            load(place, SPECS, {"KEY": "k"})
        except Misconfigured as error:
            caught = error
        assert caught is not None
        assert caught.problems == found
