"""``digest:`` in quell.yaml: what is told when and to whom, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from quell.config import check, load
from quell.config.settings import DigestSettings
from quell.sdk.registry import specs

SOURCES = "sources:\n  console: {use: console}\n  cd: {use: argocd, url: 'http://127.0.0.1:1', token: 'env:T'}\n"


def settings(folder: Path, digest: str) -> DigestSettings | None:
    (folder / "quell.yaml").write_text(f"{SOURCES}digest: {digest}\n")
    return load(folder, specs(), {}, secrets_needed=False).settings.digest


def problems(folder: Path, digest: str) -> list[str]:
    (folder / "quell.yaml").write_text(f"{SOURCES}digest: {digest}\n")
    return [str(problem) for problem in check(folder, specs(), {"T": "t"})]


def test_a_week_on_monday_is_what_it_is_without_saying(tmp_path: Path) -> None:
    told = settings(tmp_path, "{to: console.print}")
    assert told == DigestSettings(action="console.print", cron="0 9 * * mon", zone="UTC", over_s=604_800.0)


def test_all_of_it(tmp_path: Path) -> None:
    told = settings(
        tmp_path, "{to: console.page, with: {text: '${title}'}, cron: '0  7 * * *', zone: Europe/Berlin, over: 1d}"
    )
    assert told == DigestSettings(
        action="console.page", params={"text": "${title}"}, cron="0 7 * * *", zone="Europe/Berlin", over_s=86_400.0
    )


@pytest.mark.parametrize(
    ("digest", "said"),
    [
        ("{to: nobody.print}", 'unknown action "nobody.print"'),
        ("{to: cd.sync, with: {app: a}}", 'action "cd.sync" does not tell people something: its effect is "change"'),
        ("{to: console.print, cron: '0 9 * *'}", "has 4 fields, a cron line has 5"),
        ("{to: console.print, cron: '0 9 31 2 *'}", "is a day that no month has"),
        ("{to: console.print, zone: Mars}", '"Mars" is not a time zone'),
        ("{to: console.print, over: 0s}", "longer than nothing"),
        ("{to: console.print, with: {text: '${incident.id}'}}", "incident"),
        ("{to: console.print, with: {loud: yes}}", "loud"),
        ("{cron: '0 9 * * mon'}", "to"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(digest: str, said: str, tmp_path: Path) -> None:
    found = problems(tmp_path, digest)
    assert found
    assert any(said in problem for problem in found), found
    assert all("quell.yaml:4:" in problem for problem in found)
