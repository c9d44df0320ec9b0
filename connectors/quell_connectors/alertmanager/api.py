"""The Alertmanager v2 API: which request goes where, and the answers that need no alert or silence."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import msgspec

from quell.errors import BadPayload
from quell.sdk.connector import Received, Rejected, Reply, Request, View
from quell_connectors.alertmanager import alerts, silences
from quell_connectors.alertmanager.place import Place
from quell_connectors.alertmanager.quick import posted
from quell_connectors.alertmanager.translate import MAX_KEPT, Translated
from quell_connectors.alertmanager.wire import JSON, answer, complaint, refusal, text_of

SERVED_VERSION = "0.28.0"
"""The Alertmanager whose API this is; clients choose by it what they ask for."""

_POSTED_TO = "/api/v2/alerts"
"""Where nearly all requests go."""

Handler = Callable[[Request, Place, View, float], Received]


def serve(request: Request, place: Place, view: View, now: float) -> Received:
    """Answers one request below ``/api/v2`` or ``/api/v1``."""
    if request.path == _POSTED_TO and request.method == "POST":
        return post_alerts(request, place, now)
    path = request.path.rstrip("/")
    if path == "/api/v1" or path.startswith("/api/v1/"):
        gone = {"status": "deprecated", "error": "the v1 API is gone since Alertmanager 0.27; use the same route in v2"}
        return Received(reply=answer(gone, 410))
    name = path.removeprefix("/api/v2").removeprefix("/")
    if name.startswith("silence/") and name.count("/") == 1:
        return _silence(request, name.partition("/")[2], view, now)
    routes = _ROUTES.get(name)
    if routes is None:
        return Received(reply=refusal(404, f"path {request.path} was not found"))
    if request.method not in routes:
        return Received(reply=_not_allowed(request.method, list(routes)))
    return routes[request.method](request, place, view, now)


def post_alerts(request: Request, place: Place, now: float) -> Received:
    """`POST /api/v2/alerts`: what is valid is kept, whatever is said of the rest."""
    refused = _not_json(request)
    if refused is not None:
        return Received(reply=refused)
    if not request.body or request.body.isspace():
        return Received(reply=refusal(422, "alerts in body is required", 602))
    if not request.body.startswith(b"[") and request.body.strip() == b"null":
        return Received()
    try:
        translated = posted(request.body, place.source, now, place.resolve_timeout_s, place.known)
    except BadPayload as error:
        rejected = [Rejected(str(error), error.payload[:MAX_KEPT])]
        message = f'parsing alerts body from "" failed, because {error}'
        return Received(reply=refusal(400, message), rejected=rejected)
    if not translated.wrong:
        return Received(translated.records)
    return Received(translated.records, _verdict(translated), translated.rejected)


def _verdict(translated: Translated) -> Reply:
    """The answer to a batch with something wrong: what Alertmanager would have found first decides its shape."""
    by_stage = {wrong.stage: wrong for wrong in reversed(translated.wrong)}
    if "parse" in by_stage:
        return refusal(400, f'parsing alerts body from "" failed, because {by_stage["parse"].message}')
    if "schema" in by_stage:
        return refusal(422, by_stage["schema"].message, by_stage["schema"].code)
    return complaint(400, "; ".join(wrong.message for wrong in translated.wrong))


def _post_alerts(request: Request, place: Place, view: View, now: float) -> Received:
    del view
    return post_alerts(request, place, now)


def _post_silence(request: Request, place: Place, view: View, now: float) -> Received:
    refused = _not_json(request)
    return silences.post(request, place, view, now) if refused is None else Received(reply=refused)


def _silence(request: Request, silence_id: str, view: View, now: float) -> Received:
    if request.method not in ("GET", "DELETE"):
        return Received(reply=_not_allowed(request.method, ["GET", "DELETE"]))
    try:
        known = view.silence(str(UUID(silence_id)))
    except ValueError:
        return Received(reply=refusal(422, f'silenceID in path must be of type uuid: "{silence_id}"', 601))
    if request.method == "DELETE":
        return silences.delete(known, now)
    return Received(reply=Reply(404) if known is None else answer(silences.shown(known, now)))


def _status(request: Request, place: Place, view: View, now: float) -> Received:
    del request, now
    receiver = msgspec.json.encode(place.receiver).decode()
    resolve_timeout = f"{max(1, round(place.resolve_timeout_s))}s"
    status = {
        "cluster": {"status": "disabled", "peers": []},
        "config": {
            "original": f"global:\n  resolve_timeout: {resolve_timeout}\nroute:\n  receiver: {receiver}\n"
            f"receivers:\n- name: {receiver}\n"
        },
        "uptime": text_of(view.started_at()),
        "versionInfo": {
            "branch": "HEAD",
            "buildDate": "",
            "buildUser": "quell",
            "goVersion": "",
            "revision": f"quell-{view.version()}",
            "version": SERVED_VERSION,
        },
    }
    return Received(reply=answer(status))


def _receivers(request: Request, place: Place, view: View, now: float) -> Received:
    del request, view, now
    return Received(reply=answer([{"name": place.receiver}]))


def _not_json(request: Request) -> Reply | None:
    given = request.headers.get("content-type", "")
    if given == JSON:
        return None
    kind = given.partition(";")[0].strip().lower()
    # Without a body there is nothing whose type could be wrong; what is missing is told by the handler.
    if kind == JSON or not request.body:
        return None
    shown = kind or "application/octet-stream"
    return refusal(415, f'unsupported media type "{shown}", only [{JSON}] are allowed')


def _not_allowed(method: str, allowed: list[str]) -> Reply:
    names = ",".join(allowed)
    return refusal(405, f"method {method} is not allowed, but [{names}] are", headers={"Allow": names})


_ROUTES: dict[str, dict[str, Handler]] = {
    "alerts": {"POST": _post_alerts, "GET": alerts.get},
    "alerts/groups": {"GET": alerts.get_groups},
    "silences": {"POST": _post_silence, "GET": silences.get},
    "status": {"GET": _status},
    "receivers": {"GET": _receivers},
}
