"""A connector of somebody else, in this very process, that fails in every way there is: the daemon goes on.

Not only exceptions: what ends a program or a task (``sys.exit`` in a library, a cancelled task of its own) and answers
that are no answers. What was delivered is kept in quarantine or taken whole, and the source says that it is broken.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import msgspec
import pytest
from structlog.testing import capture_logs

from daemon.parts import KINDS, Running, Worker, loaded, running, source
from quell.model.records import AlertRecord
from quell.sdk.connector import Context, Done, Pulled, Received, Rejected, Reply, Request
from quell.sdk.spec import Spec


def go(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


class Odd(BaseException):
    """Not an Exception."""


def endless() -> None:
    endless()


def raising(kind: Callable[..., BaseException], *arguments: Any) -> Callable[[], Any]:
    def fail() -> Any:
        raise kind(*arguments)

    return fail


def alert(**more: Any) -> AlertRecord:
    return AlertRecord(**{"at": 1.0, "seen": 1.0, "status": "firing", "labels": {"alertname": "x"}, **more})


class Loop(dict[str, Any]):
    """A value that holds itself."""

    def __init__(self) -> None:
        super().__init__(me=self)


RAISED: Mapping[str, Callable[[], Any]] = {
    "a bug": raising(ZeroDivisionError, "a bug"),
    "no message": raising(ValueError),
    "too deep": endless,
    "no memory": raising(MemoryError),
    "not an Exception": raising(Odd, "odd"),
    "sys.exit": raising(SystemExit, 0),
    "interrupted": raising(KeyboardInterrupt),
    "a generator's end": raising(GeneratorExit),
    "a cancelled task of its own": raising(asyncio.CancelledError),
    "many at once": raising(ExceptionGroup, "many", [ValueError("a"), KeyError("b")]),
    "stop": raising(StopIteration, 3),
    "time out": raising(TimeoutError, "its own"),
}
NONSENSE: Mapping[str, Callable[[], Any]] = {
    "nothing": lambda: None,
    "a text": lambda: "done",
    "a number": lambda: 7,
    "any object": object,
    "records that are none": lambda: Received([None, 7, {"kind": "alert"}]),  # type: ignore[list-item]
    "no list of records": lambda: Received(7),  # type: ignore[arg-type]
    "labels that are no texts": lambda: Received([alert(labels={"alertname": 7})]),
    "labels that are no mapping": lambda: Received([alert(labels=["alertname"])]),
    "no labels": lambda: Received([alert(labels=None)]),
    "no time": lambda: Received([alert(at="yesterday")]),
    "a value beyond 64 bits": lambda: Received([alert(value=10**40)]),
    "a value that holds itself": lambda: Received([alert(annotations=Loop())]),
    "no reply": lambda: Received([], None),  # type: ignore[arg-type]
    "a status that is none": lambda: Received([], Reply("ok", b"")),  # type: ignore[arg-type]
    "a body that is a text": lambda: Received([], Reply(200, "ok")),  # type: ignore[arg-type]
    "headers that are no headers": lambda: Received([], Reply(200, b"", "text/plain", {"x": 7, "a\nb": "c"})),  # type: ignore[dict-item]
    "rejected what is nothing": lambda: Received([], Reply(), [None]),  # type: ignore[list-item]
    "rejected a text": lambda: Received([], Reply(), [Rejected("why", "text")]),  # type: ignore[arg-type]
}


class Foreign:
    """Does as its script says, whatever it is asked."""

    spec: ClassVar[Spec] = Spec(name="foreign", summary="Of somebody else.", paths=("/foreign",))
    script: ClassVar[Callable[[], Any]] = staticmethod(lambda: Received([], Reply(200, b"fine")))

    def __init__(self, options: Mapping[str, Any], context: Context) -> None: ...

    def receive(self, request: Request, now: float) -> Received:
        return Foreign.script()  # type: ignore[no-any-return]

    def serve(self, request: Request, view: Any, now: float) -> Received:
        return Foreign.script()  # type: ignore[no-any-return]


@asynccontextmanager
async def beside() -> AsyncIterator[Running]:
    """A daemon with a foreign connector; in the end all is as it should be for the others."""
    Worker.reset()
    config = loaded(source("in", "feed"), source("f", "foreign"), source("w", "worker", every_s=60.0))
    with capture_logs() as logs:  # drawn as text, a traceback of a thousand calls takes longer than the test
        async with running(config, kinds={**KINDS, "foreign": Foreign}) as quell:
            yield quell
            await _goes_on(quell)
        assert [each for each in logs if each["log_level"] == "critical"] == []


async def _goes_on(quell: Running) -> None:
    assert (await quell.post("/in/in", {"alerts": [{"alertname": "after"}]}))[0] == 202
    async with asyncio.timeout(30):
        await quell.settled()
    assert "after" in {each.name for each in quell.core.state.alerts.values()}
    assert not quell.daemon.stopping.is_set()
    assert quell.daemon.exit_code == 0
    Foreign.script = staticmethod(lambda: Received([], Reply(200, b"fine")))
    assert (await quell.post("/in/f", {}))[0] == 200


@pytest.mark.parametrize("path", ["/in/f", "/foreign/any"])
def test_deliveries_that_their_connector_fails_on(path: str) -> None:
    async def story() -> None:
        async with beside() as quell:
            for what, script in {**RAISED, **NONSENSE}.items():
                Foreign.script = staticmethod(script)
                async with asyncio.timeout(30):
                    assert (await quell.post(path, data=what.encode()))[0] == 500, what
                assert quell.store.quarantine()[0].payload == what.encode()
                health = (await quell.api("GET", "/status"))[1]["sources"]["f"]
                assert health["state"] == "broken", what
                assert health["error"], what
            assert len(quell.store.quarantine()) == len(RAISED) + len(NONSENSE)
            assert quell.daemon.loop.seq == 0

    go(story())


def nothing_pulled(script: Callable[[], Any]) -> Callable[[str | None], Any]:
    def pulled(cursor: str | None) -> Any:
        answer = script()
        return Pulled(answer.records, "moved") if isinstance(answer, Received) else answer

    return pulled


def test_pulls_that_fail() -> None:
    nonsense = ("nothing", "a text", "records that are none", "no list of records", "labels that are no texts",
                "no time", "a value beyond 64 bits", "a value that holds itself")  # fmt: skip
    scripts = {what: nothing_pulled(script) for what, script in {**RAISED, **NONSENSE}.items()}
    wanted = {what: scripts[what] for what in (*RAISED, *nonsense)}
    wanted["a cursor that is no text"] = lambda cursor: Pulled([alert()], 7)  # type: ignore[arg-type]

    async def story() -> None:
        async with beside() as quell:
            worker = quell.daemon.sources.get("w")
            assert worker is not None
            await quell.until(lambda: worker.health.last_ok_at)
            for what, script in wanted.items():
                Worker.pulled = script
                async with asyncio.timeout(30):
                    await quell.daemon.schedule.pull(worker)
                assert worker.health.state != "ok", what
                assert worker.health.error, what
            assert quell.store.recover().cursors == {}
            assert quell.daemon.loop.seq == 0
            Worker.pulled = lambda cursor: Pulled([alert(labels={"alertname": "pulled"})], "1")
            async with asyncio.timeout(30):
                await quell.daemon.schedule.pull(worker)
            assert worker.health.state == "ok"
            assert quell.store.recover().cursors == {"w": "1"}

    go(story())


def test_acts_that_fail() -> None:
    scripts: dict[str, Callable[[], Any]] = {
        **RAISED,
        **{what: NONSENSE[what] for what in ("nothing", "a text", "a number")},
        "output that holds itself": lambda: Done("did it", Loop()),
        "output beyond 64 bits": lambda: Done("did it", {"n": 10**40}),
        "a sentence that is none": lambda: Done(None),  # type: ignore[arg-type]
    }

    async def story() -> None:
        async with beside() as quell:
            Worker.script = lambda call: scripts[call.params["text"]]()
            for what in scripts:
                labels = {"alertname": what, "act": "w.do", "key": what, "text": what}
                await quell.daemon.inbox.put([alert(labels=labels)])
            for what in scripts:
                await quell.until(lambda key=f"run/{what}": quell.core.told(key))
                assert quell.core.told(f"run/{what}").startswith("failed "), what
            assert {entry.state for entry in quell.store.ledger()} == {"failed"}
            assert len(Worker.calls) == len(scripts)

    go(story())


def test_a_view_read_in_vain_changes_nothing() -> None:
    """What a connector is shown cannot be changed by it."""

    async def story() -> None:
        async with beside() as quell:
            await quell.post("/in/in", {"alerts": [{"alertname": "a"}]})
            await quell.settled()
            before = quell.core.snapshot()
            for alert_ in quell.core.state.alerts.values():
                with pytest.raises(AttributeError):
                    alert_.status = "resolved"  # type: ignore[misc]
            assert quell.core.snapshot() == before
            assert msgspec.msgpack.decode(before)

    go(story())
