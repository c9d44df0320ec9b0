"""Pages in a browser: who may see them, what they show, and that an act is the visitor's own and of our own pages."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from unittest.mock import patch

import aiohttp
import pytest
from msgspec.structs import replace

from daemon.chatroom import in_a_loop
from daemon.parts import READER, TOKEN, Running, token
from daemon.test_chat import config, labels, status, talking, trouble
from quell.core.similar import Like, Likes
from quell.daemon.pages import reading
from quell.daemon.pages.app import is_page
from quell.daemon.pages.visitors import inside
from quell.errors import StoreError
from quell.model.incident import Incident
from quell.model.records import AlertRecord
from quell.web.site import legible

ACTOR = "qll_cleo_00112233445566"
SENDER = "qll_dora_99887766554433"


@dataclass
class Browser:
    """Keeps cookies, goes where it is sent, and says where a form comes from as browsers do."""

    url: str
    http: aiohttp.ClientSession

    async def get(self, path: str, **headers: str) -> tuple[int, str, Mapping[str, str]]:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.get(self.url + path, headers=names) as answer:
            return answer.status, unescape(await answer.text()), answer.headers

    async def post(self, path: str, form: Mapping[str, str], **headers: str) -> tuple[int, str]:
        names = {name.replace("_", "-"): value for name, value in headers.items()} or {"origin": self.url}
        async with self.http.post(self.url + path, data=form, headers=names) as answer:
            return answer.status, unescape(await answer.text())


@asynccontextmanager
async def browsing(by: str = TOKEN) -> AsyncIterator[tuple[Running, Browser]]:
    """A daemon, and somebody who has logged in there (``by`` "": who has not)."""
    tokens = (
        token(TOKEN, "root", "admin"), token(READER, "ben", "read"), token(ACTOR, "cleo", "read", "act"),
        token(SENDER, "dora", "ingest"),
    )  # fmt: skip
    async with (
        talking(conf=config(tokens=tokens)) as place,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
    ):
        browser = Browser(place.url, http)
        if by:
            assert (await browser.post("/login", {"token": by, "next": "/incidents"}))[0] in {200, 403}
        yield place, browser


@in_a_loop
async def test_whoever_has_no_token_gets_to_the_login_and_from_there_to_where_they_wanted() -> None:
    async with browsing(by="") as (_, browser):
        _, page, headers = await browser.get("/alerts?handling=hold")
        assert 'value="/alerts?handling=hold"' in page
        assert 'type="password"' in page
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        refused, page = await browser.post("/login", {"token": "qll_root_0123456789abcdee", "next": "/runs"})
        assert (refused, "no token that quell knows" in page) == (401, True)
        assert "0123456789abcdee" not in page
        entered, page = await browser.post("/login", {"token": READER, "next": "/alerts?handling=hold"})
        assert (entered, "<h1>Alerts</h1>" in page, "ben" in page) == (200, True, True)
        assert "<h1>Log in</h1>" in (await browser.post("/logout", {}))[1]
        assert 'type="password"' in (await browser.get("/incidents"))[1]


@in_a_loop
async def test_the_cookie_is_out_of_reach_of_scripts_and_is_nothing_to_the_api() -> None:
    async with browsing(by="") as (place, browser):
        login, form = place.url + "/login", {"token": TOKEN}
        for origin, secure in ((place.url, False), (place.url.replace("http:", "https:"), True)):  # a proxy has the key
            async with browser.http.post(login, data=form, headers={"origin": origin}, allow_redirects=False) as answer:
                set_to = answer.headers["set-cookie"]
            assert "HttpOnly" in set_to
            assert "SameSite=Lax" in set_to
            assert set_to.endswith("; Secure") == secure
        async with browser.http.get(
            f"{place.url}/api/quell/v1/status", headers={"cookie": set_to.partition(";")[0]}
        ) as answer:
            assert answer.status == 401


@in_a_loop
async def test_of_many_alerts_an_incident_shows_the_gravest_and_folds_the_others() -> None:
    async with browsing() as (place, browser):
        name = await trouble(place)
        now = place.daemon.clock.now()
        told = [labels("ledger", f"Slow{each}") for each in range(16)]
        more = [
            AlertRecord(at=now, seen=now, status="firing", labels=each, source="prom", starts_at=now) for each in told
        ]
        await place.daemon.inbox.put(more)
        await place.until(lambda: len(place.daemon.loop.decider.state.incidents[name].alerts) == 20)
        alerts = place.daemon.loop.decider.state.incidents[name].alerts
        _, page, _ = await browser.get(f"/incidents/{name}")
        before, _, folded = page.partition('<details id="more-alerts">')
        table = before[before.index("<h2>Alerts</h2>") :]
        rest, _, after = folded.partition("</details>")
        shown = [[mark for mark in alerts if f'href="/alerts/{mark}"' in part] for part in (table, rest)]
        assert [len(each) for each in shown] == [12, 8]
        assert sorted(shown[0] + shown[1]) == sorted(alerts)
        assert "8 more, less grave or over" in rest
        assert "What happened" in after


@in_a_loop
async def test_an_incident_is_shown_with_all_that_explains_it() -> None:
    async with browsing() as (place, browser):
        assert "Nothing is open." in (await browser.get("/"))[1]
        name = await trouble(place)
        incident = place.daemon.loop.decider.state.incidents[name]
        _, page, _ = await browser.get("/")
        assert f'href="/incidents/{name}"' in page
        assert incident.title in page
        assert "<b>1</b> open" in page
        code, page, _ = await browser.get(f"/incidents/{name}")
        assert code == 200
        assert "First cause:" in page
        assert "service/ledger" in page
        assert f"/incidents/{name}/walk.svg" in page
        assert "HighErrorRate" in page
        assert "What happened" in page
        assert re.findall(r"<(?:li|p)[^>]*>\s*</(?:li|p)>", page) == []
        code, drawn, headers = await browser.get(f"/incidents/{name}/walk.svg")
        assert (code, drawn.startswith("<svg"), headers["content-type"]) == (200, True, "image/svg+xml")
        mark = incident.alerts[0]
        assert f'href="/alerts/{mark}"' in page
        _, page, _ = await browser.get(f"/alerts/{mark}")
        assert "began at" in page
        assert "alertname" in page
        for path in ("/incidents/INC-none", "/alerts/none", "/runs/R-none", f"/incidents/{name}/more", "/static/none"):
            assert (await browser.get(path))[0] == 404, path


@in_a_loop
async def test_who_may_acts_as_themselves_and_reads_what_came_of_it() -> None:
    async with browsing(ACTOR) as (place, browser):
        name = await trouble(place)
        code, page = await browser.post("/say", {"verb": "ack", "about": name, "note": 'on it "really"\nnow'})
        assert code == 200
        assert "Acknowledged by cleo" in page
        said = [one.audit for one in place.store.audit(10) if one.audit.what == "ack"]
        assert [(one.who, one.detail) for one in said] == [("cleo", 'on it "really" now')]
        code, page = await browser.post("/say", {"verb": "ack", "about": name})
        assert (code, "already acknowledged by cleo" in page) == (409, True)
        assert (await browser.post("/say", {"verb": "snooze", "about": name, "for": "1h"}))[0] == 200
        assert (await browser.post("/say", {"verb": "snooze", "about": name, "for": "ever"}))[0] == 409
        assert (await browser.post("/say", {"verb": "resolve", "about": name, "note": "because"}))[0] == 200
        assert status(place, name) == "resolved"
        assert "Right cause" in (await browser.get(f"/incidents/{name}"))[1]
        for form in ({"verb": "pause all", "about": name}, {"verb": "ack", "about": ""}, {}):
            assert (await browser.post("/say", form))[0] == 404, form


@in_a_loop
async def test_a_yes_is_to_what_stands_on_the_page() -> None:
    async with browsing() as (place, browser):
        name = await trouble(place)
        state = place.daemon.loop.decider.state
        await place.until(lambda: any(run.asks for run in state.runs.values()))
        (run,) = [run for run in state.runs.values() if run.asks]
        assert run.approval is not None
        assert "waits for a yes" in (await browser.get(f"/incidents/{name}"))[1]
        assert "<b>1</b> waiting for a yes" in (await browser.get("/runs"))[1]
        _, page, _ = await browser.get(f"/runs/{run.id}")
        assert f'name="mark" value="{run.approval.mark}"' in page
        assert "text = back" in page
        other = "0000" if run.approval.mark != "0000" else "1111"
        code, page = await browser.post("/say", {"verb": "approve", "about": run.id, "mark": other})
        assert code == 409
        assert state.runs[run.id].asks
        form = {"verb": "approve", "about": run.id, "mark": run.approval.mark, "note": "agreed"}
        code, page = await browser.post("/say", form)
        assert (code, "Approved by root" in page) == (200, True)


@in_a_loop
async def test_who_may_only_read_finds_no_buttons_and_is_refused() -> None:
    async with browsing(READER) as (place, browser):
        name = await trouble(place)
        page = (await browser.get(f"/incidents/{name}"))[1]
        assert "Acknowledge" not in page
        code, page = await browser.post("/say", {"verb": "ack", "about": name})
        assert (code, 'needs the scope "act"' in page) == (409, True)
        assert status(place, name) == "open"
    async with browsing(SENDER) as (place, browser):
        code, page, _ = await browser.get("/incidents")
        assert (code, 'no scope "read"' in page) == (403, True)


FOREIGN = {
    "another place": {"origin": "https://evil.example"},
    "no place at all": {"accept": "text/html"},
    "an opaque place": {"origin": "null"},
    "what the browser calls another site": {"origin": "{url}", "sec_fetch_site": "cross-site"},
    "what the browser calls a neighbour": {"origin": "{url}", "sec_fetch_site": "same-site"},
}


@pytest.mark.parametrize("what", FOREIGN)
def test_what_other_pages_send_does_nothing(what: str) -> None:
    @in_a_loop
    async def story() -> None:
        async with browsing() as (place, browser):
            name = await trouble(place)
            sent = {head: value.format(url=place.url) for head, value in FOREIGN[what].items()}
            code, _ = await browser.post("/say", {"verb": "ack", "about": name}, **sent)
            assert code == 403
            assert status(place, name) == "open"
            assert (await browser.post("/login", {"token": TOKEN}, **sent))[0] == 403

    story()


@in_a_loop
async def test_what_others_wrote_is_text_and_no_page_of_theirs() -> None:
    async with browsing() as (place, browser):
        evil = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
        now = place.daemon.clock.now()
        named = {"alertname": evil, "severity": "critical", "service": "ledger", "env": "prod"}
        record = AlertRecord(
            at=now, seen=now, source="prom", status="firing", labels=named, annotations={"summary": evil},
            starts_at=now, url="javascript:alert(1)",
        )  # fmt: skip
        await place.daemon.inbox.put([record])
        await place.settled()
        (mark,) = place.daemon.loop.decider.state.alerts
        for path in ("/alerts?status=all", f"/alerts/{mark}", "/incidents"):
            async with browser.http.get(place.url + path) as answer:
                text = await answer.text()
            assert "<script>alert" not in text, path
            assert "<img src=x" not in text, path
            assert "javascript:" not in text, path


@in_a_loop
async def test_what_a_browser_has_is_not_sent_again() -> None:
    async with browsing() as (place, browser):
        name = await trouble(place)
        _, _, headers = await browser.get(f"/incidents/{name}")
        again, page, _ = await browser.get(f"/incidents/{name}", if_none_match=headers["etag"])
        assert (again, page) == (304, "")
        assert (await browser.post("/say", {"verb": "ack", "about": name}))[0] == 200
        changed, page, _ = await browser.get(f"/incidents/{name}", if_none_match=headers["etag"])
        assert changed == 200
        async with browser.http.head(f"{place.url}/incidents") as answer:
            assert (answer.status, await answer.read()) == (200, b"")
        async with browser.http.delete(f"{place.url}/incidents") as answer:
            assert answer.status == 405


@in_a_loop
async def test_too_long_a_form_is_refused() -> None:
    async with browsing() as (_, browser):
        assert (await browser.post("/say", {"verb": "ack", "about": "x", "note": "y" * 100_000}))[0] == 413


ELSEWHERE = ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a\nb", "incidents"]


@pytest.mark.parametrize("path", ELSEWHERE)
def test_a_login_leads_nowhere_else(path: str) -> None:
    assert inside(path) == "/incidents"


def test_only_pages_are_pages() -> None:
    assert all(is_page(path) for path in ("/", "/incidents", "/incidents/INC-1", "/static/quell.css"))
    assert not any(
        is_page(path) for path in ("/in/webhook", "/api/v2/alerts", "/incidentsx", "", "*", "//", "//in/webhook")
    )


ODD = {
    "of somebody else, as JSON": 'seen={"a": 1}; quell=TOKEN',
    "without a value": "noticed; quell=TOKEN",
    "named as no standard allows": "a[b]=c; quell=TOKEN; d e=f",
}


@pytest.mark.parametrize("what", ODD)
def test_a_cookie_that_others_of_this_host_keep_locks_nobody_out(what: str) -> None:
    @in_a_loop
    async def story() -> None:
        async with browsing(by="") as (_, browser):
            code, page, _ = await browser.get("/incidents", cookie=ODD[what].replace("TOKEN", TOKEN))
            assert (code, "Nothing is open." in page) == (200, True)

    story()


@in_a_loop
async def test_the_password_of_a_proxy_in_front_is_not_ours() -> None:
    async with browsing() as (_, browser):
        assert "Nothing is open." in (await browser.get("/incidents", authorization="Basic YW5hOnNlY3JldA=="))[1]
        assert 'type="password"' in (await browser.get("/incidents", authorization="Bearer qll_none_0"))[1]


@in_a_loop
async def test_what_no_header_can_hold_and_what_is_no_origin_is_answered_all_the_same() -> None:
    async with browsing(by="") as (place, browser):
        _, page, _ = await browser.get("/alerts/%E6%97%A5?handling=hold")
        assert 'value="/alerts/日?handling=hold"' in page
        form = {"token": TOKEN, "next": "/alerts/日?handling=hold&status=all"}
        own = {"origin": place.url}
        async with browser.http.post(f"{place.url}/login", data=form, headers=own, allow_redirects=False) as answer:
            assert answer.status == 303
            assert answer.headers["location"] == "/alerts/%E6%97%A5?handling=hold&status=all"
        assert (await browser.post("/login", form, origin="http://[::1"))[0] == 403
        assert (await browser.post("/login", {f"field{each}": "" for each in range(1000)}))[0] == 401


@in_a_loop
async def test_a_picture_by_itself_has_its_colours_and_no_rights() -> None:
    async with browsing() as (place, browser):
        name = await trouble(place)
        _, drawn, headers = await browser.get(f"/incidents/{name}/walk.svg")
        rule = headers["content-security-policy"]
        assert "<style>" in drawn
        assert "style-src 'unsafe-inline'" in rule
        assert "default-src 'none'" in rule
        assert rule.endswith("sandbox")


@in_a_loop
async def test_what_only_the_store_still_has_can_be_read_and_not_be_acted_on() -> None:
    async with browsing() as (place, browser):
        name = await trouble(place)
        assert (await browser.post("/say", {"verb": "resolve", "about": name}))[0] == 200
        assert "Reopen" in (await browser.get(f"/incidents/{name}"))[1]
        kept = place.daemon.loop.decider.state.incidents.pop(name)
        code, page, _ = await browser.get(f"/incidents/{name}")
        assert (code, kept.title in page) == (200, True)
        assert "Reopen" not in page


@in_a_loop
async def test_an_incident_is_shown_while_the_store_is_away() -> None:
    async with browsing() as (place, browser):
        name = await trouble(place)
        away = StoreError("the database is away")
        with (
            patch.object(place.daemon.writer.store, "resolved", side_effect=away),
            patch.object(place.daemon.writer.store, "incident", side_effect=away),
        ):
            code, page, _ = await browser.get(f"/incidents/{name}")
            assert (code, "First cause:" in page) == (200, True)
            code, page, _ = await browser.get("/incidents/INC-none")
            assert (code, "the database is away" in page) == (503, True)


@in_a_loop
async def test_a_picture_that_has_changed_has_another_address() -> None:
    async with browsing() as (place, browser):
        name = await trouble(place)
        decider = place.daemon.loop.decider
        before = decider.explain(name)

        async def drawn() -> str:
            (address,) = re.findall(r'src="([^"]*walk.svg[^"]*)"', (await browser.get(f"/incidents/{name}"))[1])
            return str(address)

        with patch.object(reading, "TOLD_S", 0.0):
            with patch.object(decider, "explain", return_value=before):
                first = await drawn()
                assert await drawn() == first
            with patch.object(decider, "explain", return_value=replace(before, impact=("service/other",))):
                assert await drawn() != first


@in_a_loop
async def test_a_costly_explanation_is_not_told_anew_for_each_version() -> None:
    async with browsing() as (place, browser):
        name = await trouble(place)
        decider = place.daemon.loop.decider
        before = decider.explain(name)
        told: list[float] = []

        def costly(_name: str) -> object:
            told.append(time.thread_time())
            while time.thread_time() < told[-1] + 0.2:
                pass
            return before

        with patch.object(decider, "explain", costly):
            for note in ("one", "two", "three"):
                assert (await browser.get(f"/incidents/{name}"))[0] == 200
                incident = decider.state.incidents[name]
                decider.state.incidents[name] = replace(incident, version=incident.version + 1, title=note)
        assert len(told) == 1


@in_a_loop
async def test_a_quell_that_is_not_ready_says_nothing_of_what_is_open() -> None:
    async with browsing() as (place, browser):
        name = await trouble(place)
        with patch.object(place.daemon, "not_ready", "starting"):
            for path in ("/incidents", "/alerts", "/runs", f"/incidents/{name}"):
                code, page, _ = await browser.get(path)
                assert (code, "quell is not ready: starting" in page, 'data-live="yes"' in page) == (503, True, True)
                assert "Nothing is open" not in page
            assert (await browser.post("/say", {"verb": "ack", "about": name}))[0] == 503
        assert status(place, name) == "open"


def test_an_argument_is_read_as_it_is() -> None:
    assert legible("a\nb \u202e b") == "a\\nb \\u202e b"
    assert legible(["ä", 1]) == "['ä', 1]"


@in_a_loop
async def test_no_page_waits_long_for_what_was_like_it_and_one_asks_for_all() -> None:
    async with browsing() as (place, browser):
        name = await trouble(place)
        past = Like(incident="INC-old", title="as then", status="resolved", likeness=1.0, words=1.0, places=1.0,
                    opened_at=0.0, text="it went away")  # fmt: skip
        asked: list[str] = []

        async def slow(_services: object, incident: Incident) -> Likes:
            asked.append(incident.id)
            await asyncio.sleep(0.6)
            return Likes(past=(past,))

        with patch.object(reading, "likes_of", slow), patch.object(reading, "LIKES_WAIT_S", 0.1):
            pages = await asyncio.gather(*(browser.get(f"/incidents/{name}") for _ in range(4)))
            assert all(page[0] == 200 and "as then" not in page[1] for page in pages)
            await asyncio.sleep(0.7)
            assert "as then" in (await browser.get(f"/incidents/{name}"))[1]
        assert asked == [name]
