"""``privacy:`` in quell.yaml: what is wrong with it, what is odd about it, and what needs the values that it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from quell.config import check, load
from quell.config.settings import Settings
from quell.sdk.registry import specs

KEY = {"KEY": "0123456789abcdef"}


def write(folder: Path, privacy: str, rules: str = "", sources: str = "") -> None:
    (folder / "quell.yaml").write_text(
        f"sources:\n  console: {{use: console}}\n{sources}privacy:\n  secret: env:KEY\n{privacy}"
    )
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules" / "all.yaml").write_text(rules or "map: []\n")


def settings(folder: Path, privacy: str, sources: str = "") -> Settings:
    write(folder, privacy, sources=sources)
    return load(folder, specs(), KEY).settings


def problems(folder: Path, privacy: str, environ: dict[str, str] | None = None) -> str:
    write(folder, privacy)
    return "\n".join(str(problem) for problem in check(folder, specs(), KEY if environ is None else environ))


def warnings(folder: Path, privacy: str, rules: str = "") -> list[str]:
    write(folder, privacy, rules)
    return [str(problem) for problem in load(folder, specs(), KEY).warnings]


def test_without_a_word_nothing_is_personal(tmp_path: Path) -> None:
    (tmp_path / "quell.yaml").write_text("sources: {}\n")
    assert not load(tmp_path, specs(), {}).settings.privacy


def test_all_of_it(tmp_path: Path) -> None:
    told = settings(
        tmp_path,
        "  rules:\n    - {fields: [user_id, 'customer_*'], patterns: [ip, email]}\n"
        "    - {patterns: ['/E-\\d{6}/'], do: drop}\n  keep: [customer_tier, '/@example\\.com$/']\n  contexts: 0.2\n",
    ).privacy
    assert told.key == b"0123456789abcdef"
    assert [(one.fields, one.patterns, one.own, one.do) for one in told.rules] == [
        (("user_id", "customer_*"), ("email", "ip"), (), "token"),
        ((), (), (r"E-\d{6}",), "drop"),
    ]
    assert (told.keep, told.keep_values, told.contexts) == (("customer_tier",), (r"@example\.com$",), 0.2)
    assert "0123" not in repr(told)


@pytest.mark.parametrize(
    ("privacy", "said"),
    [
        ("  rules: [{fields: [user_id], do: hide}]\n", "hide"),
        ("  rules: [{do: drop}]\n", "names neither fields nor patterns"),
        ("  rules: [{patterns: [emial]}]\n", 'did you mean "email"'),
        ("  rules: [{patterns: ['/(/']}]\n", "is not a regular expression"),
        ("  rules: [{patterns: ['/a*/']}]\n", "matches the empty text"),
        ("  rules: [{fields: ['*']}]\n", "would be every field"),
        ("  rules: [{fields: ['user id']}]\n", "is not the name of a field"),
        ("  contexts: 2\n", "contexts"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, privacy: str, said: str) -> None:
    assert said in problems(tmp_path, privacy)


def test_nothing_begins_without_the_secret(tmp_path: Path) -> None:
    rule = "  rules: [{patterns: [email], do: drop}]\n"
    assert "environment variable KEY is not set" in problems(tmp_path, rule, {})
    assert "the secret has 5 letters" in problems(tmp_path, rule, {"KEY": "short"})
    (tmp_path / "quell.yaml").write_text("privacy: {rules: [{fields: [a]}]}\n")
    assert "no secret to make tokens with" in str(check(tmp_path, specs(), KEY)[0])


def test_the_share_of_contexts_is_that_of_sources_too(tmp_path: Path) -> None:
    sources = "  a: {use: predictions}\n  b: {use: predictions, contexts: 0.5}\n"
    told = settings(tmp_path, "  contexts: 0.1\n", sources)
    assert [one.options.get("contexts") for one in told.sources if one.use == "predictions"] == [0.1, 0.5]


def test_what_changes_nothing_is_told(tmp_path: Path) -> None:
    said = "\n".join(
        warnings(
            tmp_path,
            "  rules:\n    - {fields: [user_id], patterns: [email, '/a^b/']}\n"
            "    - {fields: [User_ID], patterns: [email]}\n    - {fields: [severity]}\n",
        )
    )
    assert '"/a^b/" can never match' in said
    assert '"User_ID" changes nothing here: the rule in line' in said
    assert '"email" changes nothing here' in said
    assert 'quell itself goes by the label "severity"' in said


RULES = """
map:
  - {match: [user_id="17"], entity: service/a}
  - {match: [user_id!=""], entity: "user/${labels.user_id}"}
  - {match: [tenant=~".+"], entity: "tenant/${labels.tenant}"}
  - {match: [instance="10.0.0.1:9100"], entity: host/a}
mute:
  - {name: quiet, match: [secret_label="x"], reason: because}
inhibit:
  - {name: one, source: [alertname="a"], target: [alertname="b"], equal: [user_id, secret_label]}
"""


def test_rules_that_need_what_is_taken_are_told(tmp_path: Path) -> None:
    privacy = (
        "  rules:\n    - {fields: [user_id], patterns: [ip]}\n    - {fields: [secret_label], do: drop}\n"
        "    - {fields: [tenant], do: mask}\n"
    )
    said = [one for one in warnings(tmp_path, privacy, RULES) if "rules/all.yaml" in one]
    lines = {int(one.split(":")[1]) for one in said}
    assert lines == {3, 5, 6, 8, 10}, said
    told = "\n".join(said)
    assert 'user_id="17" asks for the label "user_id", which becomes a token' in told
    assert "asks for a value that a privacy pattern replaces" in told
    assert 'the label "secret_label", which is dropped' in told
    assert 'equal: the label "secret_label" is dropped' in told
    assert '"labels.tenant" is used here, and the label "tenant" is masked' in told


def test_what_makes_things_one_is_told(tmp_path: Path) -> None:
    privacy = (
        "  rules:\n    - {fields: [instance, note], do: mask}\n    - {fields: ['pod*'], do: drop}\n"
        "    - {fields: [host], do: token}\n    - {fields: [remark], do: drop}\n"
    )
    said = [one for one in warnings(tmp_path, privacy) if "tells apart" in one]
    assert [one.split(": ")[0] for one in said] == ["quell.yaml:6:1", "quell.yaml:7:1"]
    assert '"instance" tells apart what alerts are about: where it is masked all of them are one thing' in said[0]
    assert '"pod*" (such as "pod") tells apart' in said[1]
    assert "by a token of their labels" in said[0]


def test_a_masked_address_makes_instances_one(tmp_path: Path) -> None:
    assert any('"instance" one thing' in one for one in warnings(tmp_path, "  rules: [{patterns: [ip], do: mask}]\n"))
    assert not warnings(tmp_path, "  rules: [{patterns: [ip], do: mask}]\n  keep: [instance]\n")
    assert not warnings(tmp_path, "  rules: [{patterns: [ip]}]\n")
