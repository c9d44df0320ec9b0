"""A daemon where Opsgenie was: over HTTP, and by a real Alertmanager that pages it there."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from alertmanager.servers import OverHttp, real_alertmanager
from core.scene import rulebook
from daemon.chatroom import in_a_loop
from daemon.parts import KINDS, Running, loaded, running, source
from quell.config import Loaded
from quell.core.engine import Engine
from quell.model.times import format_time
from quell.sdk.secret import Secret
from quell_connectors.opsgenie import Opsgenie

KEY = "eb243592-faa2-4ba2-a551"
CONFIG = loaded(source("og", "opsgenie", options={"api_key": Secret(KEY)}, open=True))
WORLD = {**KINDS, "opsgenie": Opsgenie}


async def asked(place: Running, method: str, path: str, body: Any, key: str = KEY) -> tuple[int, Any]:
    headers = {"Authorization": f"GenieKey {key}"}
    async with place.http.request(method, f"{place.url}{path}", json=body, headers=headers) as answer:
        return answer.status, await answer.json()


def seen(place: Running) -> list[tuple[str, str]]:
    alerts = place.daemon.loop.decider.state.alerts.values()
    return [(one.labels.get("alertname", ""), one.status) for one in alerts]


@in_a_loop
async def test_the_paths_of_opsgenie_are_served() -> None:
    async with running(CONFIG, kinds=WORLD) as place:
        status, answer = await asked(place, "POST", "/v2/alerts", {"message": "disk full", "alias": "a/b"})
        assert (status, answer["result"]) == (202, "Request will be processed")
        await place.until(lambda: seen(place) == [("disk full", "firing")])
        assert (await asked(place, "POST", "/v2/alerts/a%2Fb/acknowledge?identifierType=alias", {}))[0] == 202
        assert (await asked(place, "POST", "/v2/alerts", {"message": "x"}, key="wrong"))[0] == 401
        status, answer = await asked(place, "POST", "/v2/alerts", {"message": ""})
        assert (status, answer["errors"]) == (422, {"message": "Message can not be empty."})
        assert (await asked(place, "GET", "/v2/alerts", None))[0] == 405
        assert seen(place) == [("disk full", "firing")]


@pytest.mark.needs("prometheus-alertmanager")
@in_a_loop
async def test_an_alertmanager_pages_quell_as_it_paged_opsgenie(tmp_path: Path) -> None:
    async with running(
        Loaded(CONFIG.settings, rulebook(routes=())), kinds=WORLD,
        restore=lambda book, data: Engine.restored(book, data) if data else Engine(book),
    ) as place:  # fmt: skip
        config = f"""\
route: {{receiver: og, group_wait: 10ms, group_interval: 200ms, repeat_interval: 1h}}
receivers:
- name: og
  opsgenie_configs: [{{api_url: "{place.url}/", api_key: {KEY}, priority: P1, update_alerts: true}}]
"""
        fire = {"labels": {"alertname": "Paged", "service": "cart"}, "startsAt": format_time(time.time() - 60)}
        with ExitStack() as stack:
            server = await asyncio.to_thread(stack.enter_context, real_alertmanager(tmp_path, config))
            await told(server, fire)
            await place.until(lambda: seen(place) == [("Paged", "firing")])
            await told(server, {**fire, "endsAt": format_time(time.time() - 1)})
            await place.until(lambda: seen(place) in ([("Paged", "resolved")], []))


async def told(server: OverHttp, alert: dict[str, Any]) -> None:
    body, kind = json.dumps([alert]).encode(), {"Content-Type": "application/json"}
    answered = await asyncio.to_thread(server.ask, "POST", "/api/v2/alerts", body, kind)
    assert answered.status == 200
