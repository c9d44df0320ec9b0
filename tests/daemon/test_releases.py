"""Releases of a daemon with the whole core, by API and terminal, in every store."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner

from core.scene import T0, deploy, ends, outage
from daemon.parts import READER
from daemon.test_figures import FAULT, config, daemon, lived
from quell.cli.scoring import releases
from quell.model.records import AnyRecord, SampleRecord
from quell.store.opening import open_store


def sampled(begin: float, end: float, value: float) -> list[AnyRecord]:
    points = [(T0 + at, value + at % 7 / 1000) for at in range(int(begin), int(end), 60)]
    return [SampleRecord(at=points[-1][0], entity="service/ledger", metric="errors", points=points)]


@pytest.mark.parametrize("url", ["memory:", "sqlite:///quell.db"])
def test_a_deploy_its_incident_and_what_was_sampled(url: str, tmp_path: Path) -> None:
    async def story() -> None:
        store = open_store(url, tmp_path)
        async with daemon(config(tmp_path, store=url), store, T0 - 3600.0) as quell:
            await lived(quell, [*sampled(-1800.0, -60.0, 0.01), deploy("ledger", -60.0, name="bad"), *outage()])
            quell.daemon.clock.not_before(T0 + 120.0)
            await lived(quell, [*outage(125.0), *(ends(service, 900.0) for service in FAULT)])
            await lived(quell, sampled(0.0, 900.0, 0.4))
            status, told = await quell.api("GET", "/releases?since=1d")
            assert status == 200
            (one,) = told["releases"]
            (incident,) = quell.daemon.loop.decider.state.incidents.values()
            assert [each["id"] for each in one["incidents"]] == [incident.id]
            assert one["detect_s"] == 60.0
            (measure,) = (each for each in one["impact"] if each["metric"] == "errors")
            assert measure["low"] < measure["delta"] < measure["high"]
            assert measure["delta"] == pytest.approx(0.39, abs=0.01)
            assert (await quell.api("GET", "/releases?window=0s"))[0] == 400
            assert (await quell.api("GET", "/releases?window=30d"))[0] == 400
            address = ["--url", quell.url, "--token", READER]
            said = await asyncio.to_thread(CliRunner().invoke, releases, ["--since", "1d", *address])
            assert said.exit_code == 0, said.output
            assert "deploy service/ledger v9, before v8" in said.output
            assert "users      service/ledger errors 0.01" in said.output

    asyncio.run(story())


@pytest.mark.parametrize("url", ["memory:", "sqlite:///quell.db"])
def test_what_became_of_a_release_outlasts_its_records(url: str, tmp_path: Path) -> None:
    async def story() -> None:
        store = open_store(url, tmp_path)
        async with daemon(config(tmp_path, store=url), store, T0 - 3600.0) as quell:
            await lived(quell, [*sampled(-1800.0, -60.0, 0.01), deploy("ledger", -60.0, name="bad"), *outage()])
            quell.daemon.clock.not_before(T0 + 120.0)
            await lived(quell, [*outage(125.0), *(ends(service, 900.0) for service in FAULT)])
            await lived(quell, sampled(0.0, 900.0, 0.4))
            assert await quell.daemon.releases.keep() == 0, "its time is not over"
            await lived(quell, [SampleRecord(at=T0 + 9000.0, entity="service/ledger", metric="errors", value=0.0)])
            (before,) = (await quell.daemon.releases.since(86_400.0)).releases
            assert await quell.daemon.releases.keep() == 1
            assert await quell.daemon.releases.keep() == 0, "it is kept"
            for number in range(3):  # records go up to the older of two snapshots
                at = T0 + 40 * 86_400.0 + number
                await lived(quell, [SampleRecord(at=at, entity="service/x", metric="errors", value=0.0)])
                await quell.daemon.loop._save()
            await quell.daemon.writer.call(
                lambda: store.trim(records_before=T0 + 39 * 86_400.0, incidents_before=0.0, audit_before=0.0)
            )
            assert next(iter(store.groups_after(0))).now > T0 + 39 * 86_400.0
            quell.daemon.loop.decider.state.changes.clear()
            (after,) = (await quell.daemon.releases.since(50 * 86_400.0)).releases
            assert after.impact == before.impact != ()
            assert (after.id, after.incidents, after.detect_s) == (before.id, before.incidents, before.detect_s)
            (other,) = (await quell.daemon.releases.since(50 * 86_400.0, 1800.0)).releases
            assert (other.measured_s, after.measured_s) == (3600.0, 0.0)
            await quell.daemon.writer.call(
                lambda: store.trim(records_before=0.0, incidents_before=T0 + 1.0, audit_before=0.0)
            )
            assert (await quell.daemon.releases.since(50 * 86_400.0)).releases == ()

    asyncio.run(story())


@pytest.mark.parametrize("url", ["memory:", "sqlite:///quell.db"])
def test_a_release_that_is_told_of_late_is_kept_all_the_same(url: str, tmp_path: Path) -> None:
    async def story() -> None:
        store = open_store(url, tmp_path)
        async with daemon(config(tmp_path, store=url), store, T0 - 3600.0) as quell:
            await lived(quell, [*sampled(-1800.0, -60.0, 0.01), *sampled(0.0, 1800.0, 0.4)])
            await lived(quell, [SampleRecord(at=T0 + 9000.0, entity="service/ledger", metric="errors", value=0.0)])
            assert await quell.daemon.releases.keep() == 0
            await lived(quell, [deploy("ledger", -60.0, name="late")])
            await lived(quell, [SampleRecord(at=T0 + 9600.0, entity="service/ledger", metric="errors", value=0.0)])
            assert await quell.daemon.releases.keep() == 1
            (kept,) = (row for row in store.releases() if row.id)
            assert (kept.id, kept.at, b"errors" in kept.document) == ("late", T0 - 60.0, True)
            await lived(quell, [SampleRecord(at=T0 + 9900.0, entity="service/ledger", metric="errors", value=0.0)])
            assert await quell.daemon.releases.keep() == 0

    asyncio.run(story())
