"""Another limit for a detector: people's words on its alerts become a diff of the rules file and of a draft."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
import yaml
from click.testing import CliRunner

from core.scene import T0
from daemon.parts import READER, Running
from daemon.test_figures import config, daemon, lived
from quell.cli.incidents import postmortem
from quell.cli.suggesting import suggest
from quell.config import Loaded
from quell.model.detect import DetectRule, Threshold
from quell.model.playbook import Place
from quell.model.records import FeedbackRecord, SampleRecord
from quell.store.opening import open_store

RULES = """\
detect:
  - name: Slow
    metric: latency
    when: {threshold: {above: 0.8}}
    severity: critical
"""


def house(folder: Path, url: str) -> Loaded:
    (folder / "rules").mkdir()
    (folder / "rules" / "own.yaml").write_text(RULES)
    whole = config(folder, store=url)
    slow = DetectRule(name="Slow", metric="latency", when=Threshold(above=0.8), every_s=60.0, severity="critical",
                      place=Place(file="rules/own.yaml", line=2))  # fmt: skip
    return Loaded(whole.settings, msgspec.structs.replace(whole.rulebook, detect=(slow,)))


async def fired(quell: Running, at: float, value: float, verdict: str) -> str:
    told = [SampleRecord(at=T0 + at + 60.0 * n, entity="service/ledger", metric="latency", value=one)
            for n, one in enumerate([0.1, *[value] * 20, 0.1, 0.1])]  # fmt: skip
    await lived(quell, told[:21])
    (alert,) = [one for one in quell.daemon.loop.decider.state.alerts.values() if one.name == "Slow"]
    said = FeedbackRecord(at=T0 + at + 1210.0, verdict=verdict, by="ana", incident=alert.incident or "",
                          alert="" if alert.incident else alert.fingerprint)  # fmt: skip
    await lived(quell, [said, *told[21:]])
    quell.daemon.clock.not_before(T0 + at + 3600.0)
    await lived(quell, [SampleRecord(at=T0 + at + 3600.0, entity="service/ledger", metric="other", value=1.0)])
    await quell.daemon.loop._save()  # what is over goes to the store with the next snapshot
    return alert.incident or ""


@pytest.mark.parametrize("url", ["memory:", "sqlite:///quell.db"])
def test_three_alerts_that_were_nothing_become_a_diff_and_a_line_of_the_post_mortem(url: str, tmp_path: Path) -> None:
    async def story() -> None:
        store = open_store(url, tmp_path)
        async with daemon(house(tmp_path, url), store, T0) as quell:
            name = await fired(quell, 0.0, 0.85, "not_actionable")
            for number, value in ((1, 0.9), (2, 0.95)):
                await fired(quell, 7200.0 * number, value, "not_actionable")
            _, told = await quell.api("GET", "/suggestions")
            (one,) = [each for each in told["suggestions"] if each["kind"] == "threshold"]
            limit = one["rule"]["when"]["threshold"]["above"]
            assert 0.95 < limit < 1.2
            assert f"+    when: {{threshold: {{above: {limit}}}}}" in told["diff"]
            address = ["--url", quell.url, "--token", READER]
            said = await asyncio.to_thread(CliRunner().invoke, suggest, ["--diff", *address])
            assert said.exit_code == 0, said.output
            assert said.output.startswith("--- a/rules/own.yaml\n+++ b/rules/own.yaml\n")
            listed = await asyncio.to_thread(CliRunner().invoke, suggest, address)
            assert f"sure: Slow: above {limit}, not 0.8" in listed.output
            assert yaml.safe_load(listed.output) is None or "detect" not in yaml.safe_load(listed.output)
            written = await asyncio.to_thread(CliRunner().invoke, postmortem, [name, *address])
            assert written.exit_code == 0, written.output
            proposed = written.output.partition("## Adjustments proposed")[2]
            assert f"**Slow: above {limit}, not 0.8**" in proposed
            assert f"    +    when: {{threshold: {{above: {limit}}}}}" in proposed
            await quell.api("POST", f"/suggestions/{one['id']}/reject", {"note": "the budget is tight"})
            assert [each for each in (await quell.api("GET", "/suggestions"))[1]["suggestions"] if each == one] == []

    asyncio.run(story())
