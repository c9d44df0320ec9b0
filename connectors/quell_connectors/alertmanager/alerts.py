"""Alerts as clients ask for them: which are wanted, in which state they are shown, in which order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quell.errors import ExpressionError
from quell.model.alert import Alert
from quell.model.mute import Matcher
from quell.sdk.connector import Received, Request, View
from quell_connectors.alertmanager.place import Place
from quell_connectors.alertmanager.wire import GettableAlert, answer, complaint, fingerprint, text_of

_TRUE = frozenset({"true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters of a request, compiled."""

    matches: Callable[[Mapping[str, str]], bool]
    receiver: bool
    active: bool
    silenced: bool
    inhibited: bool
    muted: bool


class Unclear(Exception):
    """A filter cannot be read."""


def get(request: Request, place: Place, view: View, now: float) -> Received:
    """`GET /api/v2/alerts`."""
    try:
        wanted = _wanted(request, place, view)
    except Unclear as error:
        return Received(reply=complaint(400, str(error)))
    return Received(reply=answer(_shown(wanted, place, view, now)))


def get_groups(request: Request, place: Place, view: View, now: float) -> Received:
    """`GET /api/v2/alerts/groups`: one group, as of a route that groups by nothing."""
    try:
        wanted = _wanted(request, place, view)
    except Unclear as error:
        return Received(reply=complaint(400, str(error)))
    shown = _shown(wanted, place, view, now)
    if not wanted.muted:
        shown = [alert for alert in shown if not alert.status["mutedBy"]]
    shown.sort(key=_place_in_group)
    group = {"labels": {}, "receiver": {"name": place.receiver}, "routeLabels": {}, "alerts": shown}
    return Received(reply=answer([group] if shown else []))


def _place_in_group(alert: GettableAlert) -> tuple[Any, ...]:
    """By job, by instance (without one: last), then fewer labels first."""
    job, instance = alert.labels.get("job"), alert.labels.get("instance")
    of_labels = len(alert.labels), sorted(alert.labels.items())
    return (job is None, job or "", instance is None, instance or "", *of_labels)


def filters(request: Request, view: View) -> list[Matcher]:
    """The matchers of all ``filter`` parameters. Raises ExpressionError."""
    return [matcher for text in _all(request, "filter") if text for matcher in view.matchers(text)]


def _wanted(request: Request, place: Place, view: View) -> Wanted:
    try:
        matches = view.matching(filters(request, view))
    except ExpressionError as error:
        raise Unclear(str(error)) from None
    return Wanted(
        matches=matches,
        receiver=_receiver_wanted(request, place, view),
        active=_flag(request, "active"),
        silenced=_flag(request, "silenced"),
        inhibited=_flag(request, "inhibited"),
        muted=_flag(request, "muted"),
    )


def _receiver_wanted(request: Request, place: Place, view: View) -> bool:
    """Whether our one receiver is among those asked for: by a regular expression, by any set of matchers, or both."""
    labels = {"name": place.receiver}
    pattern = next(reversed(_all(request, "receiver")), "")
    by_name = Matcher(name="name", value=pattern, is_regex=True)
    sets = [text for text in _all(request, "receiver_matchers") if text]
    try:
        named = not pattern or view.matching([by_name])(labels)
        return named and (not sets or any(view.matching(view.matchers(text))(labels) for text in sets))
    except ExpressionError as error:
        raise Unclear(f"failed to parse receiver param: {error}") from None


def _shown(wanted: Wanted, place: Place, view: View, now: float) -> list[GettableAlert]:
    if not wanted.receiver:
        return []
    shown = [
        _gettable(alert, place, view, now)
        for alert in view.alerts()
        if alert.firing and (alert.ends_at is None or alert.ends_at >= now) and wanted.matches(alert.labels)
    ]
    shown = [alert for alert in shown if _state_wanted(alert, wanted)]
    return sorted(shown, key=lambda alert: alert.fingerprint)


def _state_wanted(alert: GettableAlert, wanted: Wanted) -> bool:
    status = alert.status
    if status["state"] == "active":
        return wanted.active
    return (wanted.silenced or not status["silencedBy"]) and (wanted.inhibited or not status["inhibitedBy"])


def _gettable(alert: Alert, place: Place, view: View, now: float) -> GettableAlert:
    muted_by: dict[str, list[str]] = {"silence": [], "inhibition": [], "window": [], "rule": []}
    for muting in alert.mutings:
        by = muting.by
        if muting.kind == "inhibition":
            inhibiting = view.alert(by)
            by = by if inhibiting is None else fingerprint(inhibiting.labels)
        muted_by[muting.kind].append(by)
    return GettableAlert(
        annotations=alert.annotations,
        # An alert that is taken back only by its source has no end; clients are shown one that keeps moving.
        ends_at=text_of(now + place.resolve_timeout_s if alert.ends_at is None else alert.ends_at),
        fingerprint=fingerprint(alert.labels),
        receivers=[{"name": place.receiver}],
        starts_at=text_of(alert.starts_at),
        status={
            "state": "suppressed" if alert.mutings else "active",
            "silencedBy": sorted(muted_by["silence"]),
            "inhibitedBy": sorted(muted_by["inhibition"]),
            "mutedBy": sorted(muted_by["window"] + muted_by["rule"]),
        },
        updated_at=text_of(alert.updated_at),
        labels=alert.labels,
        generator_url=alert.url,
    )


def _all(request: Request, name: str) -> Sequence[str]:
    return [value for given, value in request.query if given == name]


def _flag(request: Request, name: str) -> bool:
    """True unless given; what is given and is not a yes is a no."""
    given = next(reversed(_all(request, name)), "")
    return not given or given.lower() in _TRUE
