"""``postmortem:`` in quell.yaml: what is drafted without being asked for, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from quell.config import check, load
from quell.config.settings import PostmortemSettings
from quell.sdk.registry import specs


def settings(folder: Path, text: str) -> PostmortemSettings | None:
    (folder / "quell.yaml").write_text(text)
    return load(folder, specs(), {}, secrets_needed=False).settings.postmortem


def test_drafts_are_kept_beside_the_file_without_saying(tmp_path: Path) -> None:
    assert settings(tmp_path, "{}") == PostmortemSettings(directory=tmp_path / "postmortems")
    assert settings(tmp_path, "postmortem: {drafts: false}") is None


def test_all_of_it(tmp_path: Path) -> None:
    told = settings(
        tmp_path,
        "postmortem: {directory: /srv/reviews, settle: 2h, paged: false, lasted: 1m, severity: warning, "
        "impact: model, tickets: false}",
    )
    assert told == PostmortemSettings(
        directory=Path("/srv/reviews"), shown="/srv/reviews", settle_s=7200.0, paged=False, lasted_s=60.0,
        severity="warning", impact="model", tickets=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{directory: ''}", "a directory is needed"),
        ("{directory: ~nobody-of-this-name/reviews}", "nobody has such a home"),
        ("{severity: bad}", "severity"),
        ("{impact: users}", "impact"),
        ("{settle: soon}", "settle"),
        ("{folder: x}", "folder"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "quell.yaml").write_text(f"postmortem: {text}\n")
    (problem,) = [str(one) for one in check(tmp_path, specs(), {})]
    assert said in problem
