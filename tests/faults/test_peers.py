"""What quell asks others: whatever they answer, the source says what is wrong, and nothing else suffers by it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import msgspec

from daemon.parts import KINDS, SmallCore, loaded, running, source
from faults.peers import LIES, Peer, lying_peer
from quell.model.alert import fingerprint
from quell.model.decision import AnyDecision, Perform
from quell.model.records import AlertRecord
from quell.model.rulebook import Rulebook
from quell.model.state import State
from quell.sdk.registry import load_connectors
from quell.store.memory import MemoryStore

HERE = ("127.0.0.1",)


def go(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def pulling(peer: Peer) -> Any:
    return loaded(
        source("in", "feed"),
        source("prom", "prometheus", options={"url": peer.url, "timeout": 0.3}, every_s=30.0),
        allow_addresses=HERE,
    )


def test_whatever_a_prometheus_answers_it_is_said_and_alerts_come_in_all_the_same() -> None:
    async def story() -> None:
        async with lying_peer() as peer, running(pulling(peer), kinds={**KINDS, **load_connectors()}) as quell:
            prom = quell.daemon.sources.get("prom")
            assert prom is not None
            await quell.until(lambda: prom.health.last_ok_at)
            for number, mode in enumerate((*LIES, "hang")):
                peer.mode = mode
                pull = asyncio.create_task(quell.daemon.schedule.pull(prom))
                content = {"alerts": [{"alertname": f"a{number}"}]}
                assert (await quell.post("/in/in", content))[0] == 202
                async with asyncio.timeout(60):
                    await pull
                assert peer.asked[mode], mode
                assert prom.health.state in {"unreachable", "broken"}, mode
                assert prom.health.error, mode
                status = (await quell.api("GET", "/status"))[1]["sources"]["prom"]
                assert status["error"] == prom.health.error
                peer.mode = "good"
                await quell.daemon.schedule.pull(prom)
                assert prom.health.state == "ok", mode
            await quell.settled()
            assert len(quell.core.state.alerts) == len(LIES) + 1
            assert set(peer.paths) == {"/api/v1/rules", "/api/v1/alerts"}  # nobody is sent elsewhere

    go(story())


class Calling(SmallCore):
    """Calls the address that an alert names, once for each."""

    @classmethod
    def restored(cls, rulebook: Rulebook, data: bytes | None) -> Calling:
        return cls(rulebook, State() if data is None else msgspec.msgpack.decode(data, type=State))

    def _alert(self, record: AlertRecord, now: float) -> list[AnyDecision]:
        out = super()._alert(record, now)
        labels = record.labels
        if "call" in labels:
            out.append(Perform(
                at=now, key=f"run/{fingerprint(labels)}", action="web.request", params={"url": labels["call"]},
                effect="change", repeat="never", timeout_s=1.0,
            ))  # fmt: skip
        return out


def calling(*names: str, url: str) -> Sequence[AlertRecord]:
    return [
        AlertRecord(at=1.0, seen=1.0, source="t", status="firing", labels={"alertname": name, "call": url})
        for name in names
    ]


def test_whatever_a_target_answers_it_is_called_once_and_the_ledger_knows_how_it_ended() -> None:
    async def story() -> None:
        store = MemoryStore()
        config = loaded(source("in", "feed"), source("web", "http"), allow_addresses=HERE)
        ended: dict[str, tuple[str, str]] = {}
        kinds = {**KINDS, **load_connectors()}
        async with (
            lying_peer() as peer,
            running(config, store=store, restore=Calling.restored, kinds=kinds) as quell,
        ):
            for mode in ("good", *LIES, "hang"):
                peer.mode = mode
                await quell.daemon.inbox.put(calling(mode, url=peer.url + "/do"))
                await quell.until(lambda: len(store.ledger()) > len(ended) and not store.unfinished())
                entry = store.ledger()[0]
                assert entry.result is not None
                ended[mode] = (entry.state, entry.result.failure)
                assert peer.asked[mode] == 1, mode
            await quell.settled()
        print("\n" + "\n".join(f"{mode}: {how}" for mode, how in ended.items()))
        assert len(set(peer.keys)) == len(peer.keys) == len(LIES) + 2
        assert ended["good"] == ("done", "")
        assert set(peer.paths) == {"/do"}
        # Where nobody can tell whether it was done, people are to look: it counts as a timeout, not as never sent.
        unknown = {"says nothing and hangs up", "is cut off", "ends within a chunk", "speaks no HTTP", "is huge",
                   "is a bomb", "has an endless head", "says gzip and is not", "hang", "fails"}  # fmt: skip
        assert {mode: ended[mode] for mode in unknown} == dict.fromkeys(unknown, ("failed", "timeout"))

    go(story())
