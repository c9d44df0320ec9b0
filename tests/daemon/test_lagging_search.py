"""A ticket that a killed process may have opened, where the search lags behind: the daemon waits, and finds it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import pytest

from connectors.pretend import TOKEN, served
from connectors.pretend_jira import PretendJira
from daemon.parts import loaded, running, source
from quell.errors import NoAnswer
from quell.model.decision import Perform
from quell.sdk.connector import Call, Context
from quell.sdk.http_client import GuardedHttp
from quell.sdk.secret import Secret
from quell.store.memory import MemoryStore
from quell.store.port import Turn
from quell_connectors.jira import Jira

PARAMS = {"key": "drift:churn", "title": "Drift in customers"}
LAG_S = 0.3


class Clocked(PretendJira):
    """Its index lags behind in real time."""

    @property
    def now(self) -> float:
        return time.monotonic()

    @now.setter
    def now(self, _given: float) -> None: ...


async def killed_in_the_middle(jira: Clocked, options: Mapping[str, Any]) -> MemoryStore:
    """What is left of a process that ended while Jira answered: an issue, and a ledger that knows of a try."""
    deed = Perform(
        at=1.0,
        key="R-1/ticket/1",
        token="R-1/ticket",
        action="jira.ticket",
        params=PARAMS,
        effect="tell",
        repeat="lookup",
    )
    store = MemoryStore()
    store.commit(Turn(seq=0, intents=[deed]))
    store.begin_act(deed.key)
    http = GuardedHttp(["loopback"])
    jira.faults = ["", "", "", "cut"]
    with pytest.raises(NoAnswer):
        await Jira(options, Context("jira", http)).act(Call("R-1/ticket", "ticket", PARAMS, 1.0))
    await http.close()
    assert len(jira.issues) == 1
    return store


@pytest.mark.parametrize(("lag_s", "settle_s", "issues"), [(LAG_S, 2 * LAG_S, 1), (600.0, 0.0, 2)])
def test_the_daemon_waits_for_the_search_before_it_opens_another(lag_s: float, settle_s: float, issues: int) -> None:
    async def story() -> None:
        jira = Clocked(lag_s=lag_s)
        async with served(jira):
            options = {"url": jira.url, "user": "ana@example.org", "token": Secret(TOKEN), "project": "OPS"}
            options |= {"settle": settle_s}
            store = await killed_in_the_middle(jira, options)
            config = loaded(source("jira", "jira", options=options), allow_addresses=("loopback",))
            async with running(config, store=store, kinds={"jira": Jira}) as quell:
                await quell.until(lambda: quell.core.told("R-1/ticket/1"))
                assert quell.core.told("R-1/ticket/1").startswith("done  OPS-")
        assert len(jira.issues) == issues
        assert store.unfinished() == []

    asyncio.run(story())
