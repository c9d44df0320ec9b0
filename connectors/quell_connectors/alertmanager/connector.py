"""The connector itself: hands each request to the part that knows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quell.errors import BadPayload
from quell.sdk.connector import Context, Received, Rejected, Reply, Request, View
from quell_connectors.alertmanager import api
from quell_connectors.alertmanager.place import Place
from quell_connectors.alertmanager.quick import delivered
from quell_connectors.alertmanager.spec import SPEC
from quell_connectors.alertmanager.translate import MAX_KEPT


class Alertmanager:
    """Stands where an Alertmanager stands: Prometheus, amtool, karma and Grafana speak to it unchanged.

    Beside one, it takes that one's webhooks (version 4) and Grafana's (version 1) at ``/in/<source-id>``.
    """

    spec = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._place = Place(
            source=context.source,
            receiver=options.get("receiver") or "quell",
            resolve_timeout_s=context.resolve_timeout_s,
        )

    def receive(self, request: Request, now: float) -> Received:
        """A webhook; below ``/in/<source-id>`` also `POST …/api/v2/alerts`, for a Prometheus with a path prefix."""
        if request.path.rstrip("/").endswith("/api/v2/alerts"):
            return api.post_alerts(request, self._place, now)
        if request.method not in ("POST", "PUT"):
            return Received(reply=Reply(405, b"send alerts by POST\n", "text/plain", {"Allow": "POST, PUT"}))
        try:
            translated = delivered(request.body, self._place.source, now, self._place.known)
        except BadPayload as error:
            reason = str(error)
            rejected = [Rejected(reason, error.payload[:MAX_KEPT])]
            return Received(reply=Reply(400, f"{reason}\n".encode(), "text/plain; charset=utf-8"), rejected=rejected)
        reply = Reply()
        if translated.wrong and not translated.records:
            reasons = "; ".join(dict.fromkeys(wrong.message for wrong in translated.wrong))
            reply = Reply(400, f"{reasons}\n".encode(), "text/plain; charset=utf-8")
        return Received(translated.records, reply, translated.rejected)

    def serve(self, request: Request, view: View, now: float) -> Received:
        """The API v2, and the farewell of v1."""
        return api.serve(request, self._place, view, now)
