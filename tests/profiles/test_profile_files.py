"""Profiles in files: what is written is read, what is damaged or of another time is refused with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.data import fine, profile
from quell.config.loading import load
from quell.config.profile_file import profile_text, read_profile, schema
from quell.core.detect.profiled import profile_for
from quell.errors import Misconfigured, Problem
from quell.model.detect import Drift
from quell.model.playbook import Place
from quell.model.profile import Profile
from quell.sdk.registry import specs

PLACE = Place(file="profiles/x.json", line=0)
TEXT = profile_text(profile(fine(500)))


BACKWARDS = {"name": "a", "type": "number", "count": 2, "numbers": {"scale": 5, "positive": [[3, 1], [2, 1]]}}


def read(text: str | bytes) -> tuple[Profile | None, list[str]]:
    problems: list[Problem] = []
    data = text if isinstance(text, bytes) else text.encode()
    return read_profile("profiles/x.json", data, problems, PLACE), [str(one) for one in problems]


def changed(**fields: Any) -> str:
    return json.dumps(json.loads(TEXT) | fields)


def test_what_is_written_is_read() -> None:
    found, problems = read(TEXT)
    assert not problems
    assert found == msgspec.structs.replace(profile(fine(500)), place=PLACE)
    assert TEXT.count("\n") < 20


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("[]", "format: missing"),
        ("{}", "format: missing"),
        (changed(format="quell-profile/2"), 'format: "quell-profile/2" was written by a newer version of quell'),
        (changed(format="whylogs/1"), 'format: "whylogs/1" is not known, expected "quell-profile/1"'),
        (changed(rows="many"), "rows: expected a number, got text"),
        (changed(rows=20_001), "hash: what the file says is not what it was made with"),
        (changed(entity="payments"), 'entity: "payments" is no entity'),
        (changed(colour="blue"), "colour"),
        (changed(time="made_at"), 'time: there is no field "made_at"'),
        (changed(created_at="yesterday"), "created_at"),
        (changed(fields=json.loads(TEXT)["fields"] * 2), 'fields[3].name: "amount" is there twice'),
        (changed(fields=[{"name": "a", "type": "number", "count": 1, "bins": [2.0, 1.0]}]), "edges do not ascend"),
        (
            changed(fields=[{"name": "a", "type": "number", "count": -1}]),
            "fields[0].count",
        ),
        (
            changed(fields=[BACKWARDS]),
            "fields[0].numbers.positive: indices do not ascend",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_with_file_and_field(text: str, said: str) -> None:
    found, problems = read(text)
    assert found is None
    assert problems
    assert problems[0].startswith("profiles/x.json")
    assert said in problems[0]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_whatever_is_in_a_file_it_is_read_or_refused(data: st.DataObject) -> None:
    raw = bytearray(TEXT.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        if data.draw(st.booleans()):
            raw[at] = data.draw(st.integers(0, 255))
        else:
            del raw[at : at + data.draw(st.integers(1, 40))]
    found, problems = read(bytes(raw))
    assert (found is None) == bool(problems)
    if found is not None:
        assert found == msgspec.structs.replace(profile(fine(500)), place=PLACE)


def test_the_schema_describes_the_file() -> None:
    found = schema()
    assert found["title"] == "A profile of quell"
    assert {*json.loads(TEXT)} <= {*found["properties"]}


def test_the_profile_of_the_same_version_is_taken_else_the_latest() -> None:
    old, new = profile(fine(50), version="v3"), profile(fine(50), version="v4")
    new = msgspec.structs.replace(new, created_at=old.created_at + 1.0)
    assert profile_for((old, new), old.entity, "v3") is old
    assert profile_for((old, new), old.entity, "v5") is new
    assert profile_for((old, new), "dataset/other", "v3") is None


RULES = """\
detect:
  - name: PaymentsDrift
    distribution: "*"
    where: [entity="dataset/payments"]
    when:
      drift: {profile: dataset/payments@v3, ks: 0.2, without: [id]}
    for: 3 of 5
    every: 10m
  - name: PaymentsColumns
    distribution: "*"
    when: {schema: {check: [columns, types]}}
"""


def written(folder: Path, rules: str = RULES, **profiles: str) -> Path:
    (folder / "quell.yaml").write_text("store: memory://\n")
    (folder / "rules").mkdir()
    (folder / "rules" / "detect.yaml").write_text(rules)
    (folder / "profiles").mkdir()
    for name, text in profiles.items():
        (folder / "profiles" / f"{name}.json").write_text(text)
    return folder


def problems_of(folder: Path) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        load(folder, specs(), {}, secrets_needed=False)
    return [str(one) for one in caught.value.problems]


def test_profiles_beside_rules_become_part_of_the_rulebook(tmp_path: Path) -> None:
    rulebook = load(written(tmp_path, payments=TEXT), specs(), {}, secrets_needed=False).rulebook
    (found,) = rulebook.profiles
    assert found.place.file == "profiles/payments.json"
    drift, schema_ = rulebook.detect
    assert isinstance(drift.when, Drift)
    assert (drift.when.limits.ks, drift.when.limits.leave, drift.need, drift.of) == (0.2, ("id",), 3, 5)
    assert (drift.pooled, drift.labels, schema_.labels) == (True, {"kind": "drift"}, {})


def test_another_profile_is_another_version_of_the_rules(tmp_path: Path) -> None:
    folder = written(tmp_path, payments=TEXT)
    before = load(folder, specs(), {}, secrets_needed=False).rulebook.version
    (folder / "profiles" / "payments.json").write_text(profile_text(profile(fine(501))))
    assert load(folder, specs(), {}, secrets_needed=False).rulebook.version != before


def test_nothing_is_loaded_by_half(tmp_path: Path) -> None:
    folder = written(tmp_path, payments=TEXT, damaged=changed(rows=1), again=TEXT)
    said = problems_of(folder)
    assert any("profiles/damaged.json: hash" in one for one in said)
    assert any('version: "v3" of dataset/payments is in profiles/again.json already' in one for one in said)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (RULES.replace("dataset/payments@v3", "dataset/payment"), 'there is no profile "dataset/payment"'),
        (RULES.replace('distribution: "*"', "metric: latency", 1), '"drift" reads no metric'),
        (RULES.replace("[columns, types]", "[age]"), '"age" is how old the newest row may be'),
        (RULES.replace("[columns, types]", "[colums]"), "colums"),
        (RULES.replace("ks: 0.2", "ks: 2"), "ks"),
    ],
)
def test_rules_that_would_find_nothing_are_problems(tmp_path: Path, rules: str, said: str) -> None:
    assert any(said in one for one in problems_of(written(tmp_path, rules, payments=TEXT)))


def test_rules_without_any_profile_are_problems(tmp_path: Path) -> None:
    assert any("there are none below profiles/" in one for one in problems_of(written(tmp_path)))
