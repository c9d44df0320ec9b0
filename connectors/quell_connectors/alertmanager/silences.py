"""Silences as clients make, see and end them; every write becomes a command record."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid5

import msgspec

from quell.errors import BadPayload, ExpressionError
from quell.model.mute import Matcher, Silence
from quell.model.records import CommandRecord
from quell.sdk import payload
from quell.sdk.connector import Received, Request, View
from quell_connectors.alertmanager.alerts import filters
from quell_connectors.alertmanager.place import Place
from quell_connectors.alertmanager.wire import PostableSilence, answer, complaint, moment, refusal, text_of

_OURS = UUID("b7a1f0c2-3d5e-5f60-8a91-7c2d4e6f8091")
_ORDER = {"active": 0, "pending": 1, "expired": 2}


class Unfit(Exception):
    """The silence is not taken; the reply says why."""

    def __init__(self, status: int, message: str, code: int | None = None) -> None:
        self.reply = complaint(status, message) if code is None else refusal(status, message, code)
        super().__init__(message)


def shown(silence: Silence, now: float) -> dict[str, object]:
    """A silence as it is answered."""
    out: dict[str, object] = {
        "id": silence.id,
        "status": {"state": silence.state(now)},
        "updatedAt": text_of(silence.updated_at),
        "comment": silence.comment,
        "createdBy": silence.created_by,
        "endsAt": text_of(silence.ends_at),
        "matchers": [msgspec.to_builtins(matcher) for matcher in silence.matchers],
        "startsAt": text_of(silence.starts_at),
    }
    return out | ({"annotations": silence.annotations} if silence.annotations else {})


def get(request: Request, place: Place, view: View, now: float) -> Received:
    """`GET /api/v2/silences`: active by end, pending by start, expired with the newest first.

    A ``filter`` asks for silences that have this very matcher, not for those that would match.
    """
    del place
    try:
        wanted = filters(request, view)
    except ExpressionError as error:
        return Received(reply=complaint(400, str(error)))
    listed = [silence for silence in view.silences() if all(matcher in silence.matchers for matcher in wanted)]
    listed.sort(key=lambda silence: _place_in_list(silence, now))
    return Received(reply=answer([shown(silence, now) for silence in listed]))


def _place_in_list(silence: Silence, now: float) -> tuple[int, float, str]:
    state = silence.state(now)
    by = {"active": silence.ends_at, "pending": silence.starts_at, "expired": -silence.ends_at}
    return _ORDER[state], by[state], silence.id


def delete(known: Silence | None, now: float) -> Received:
    """`DELETE /api/v2/silence/{id}`: ends it now; ending it once more changes nothing."""
    if known is None:
        return Received(reply=complaint(404, "silence not found"))
    expired = known.state(now) == "expired"
    return Received(records=[] if expired else [_expire(known, "", now)])


def post(request: Request, place: Place, view: View, now: float) -> Received:
    """`POST /api/v2/silences`: makes a silence, or changes one in place where that keeps its past true."""
    if request.body.strip() in (b"", b"null"):
        return Received(reply=refusal(422, "silence in body is required", 602))
    try:
        given = payload.decode(request.body, PostableSilence)
        silence = _checked(given, view, now)
    except BadPayload as error:
        return Received(reply=refusal(400, f'parsing silence body from "" failed, because {error}'))
    except Unfit as unfit:
        return Received(reply=unfit.reply)
    records: list[CommandRecord] = []
    if silence.id:
        known = view.silence(silence.id)
        if known is None:
            return Received(reply=complaint(404, "silence not found"))
        if _changes_in_place(known, silence, now):
            return _made(silence, place, now, records)
        if known.state(now) != "expired":
            records.append(_expire(known, silence.created_by, now))
    silence = msgspec.structs.replace(silence, starts_at=max(silence.starts_at, now))
    fresh = str(uuid5(_OURS, msgspec.json.encode([now, silence]).decode()))
    return _made(msgspec.structs.replace(silence, id=fresh), place, now, records)


def _made(silence: Silence, place: Place, now: float, records: list[CommandRecord]) -> Received:
    made = CommandRecord(
        at=now,
        seen=now,
        source=place.source,
        verb="silence",
        target=silence.id,
        by=silence.created_by,
        args={"silence": msgspec.to_builtins(silence)},
    )
    return Received(records=[*records, made], reply=answer({"silenceID": silence.id}))


def _expire(silence: Silence, by: str, now: float) -> CommandRecord:
    return CommandRecord(at=now, seen=now, verb="expire_silence", target=silence.id, by=by)


def _changes_in_place(known: Silence, wanted: Silence, now: float) -> bool:
    """Whether the change leaves what already happened as it was; otherwise a new silence takes over."""
    if known.matchers != wanted.matchers:
        return False
    match known.state(now):
        case "active":
            return int(known.starts_at) == int(wanted.starts_at) and wanted.ends_at >= now
        case "pending":
            return wanted.starts_at >= now
    return False


def _checked(given: PostableSilence, view: View, now: float) -> Silence:
    for name in ("comment", "createdBy", "endsAt", "matchers", "startsAt"):
        if getattr(given, _FIELDS.get(name, name)) is None:
            raise Unfit(422, f"{name} in body is required", 602)
    starts_at, ends_at = _time(given.starts_at), _time(given.ends_at)
    matchers = _matchers(given)
    if starts_at >= ends_at:
        raise Unfit(400, "Failed to create silence: start time must be before end time")
    if ends_at < now:
        raise Unfit(400, "Failed to create silence: end time can't be in the past")
    _check_matchers(matchers, view)
    return Silence(
        id=given.id or "",
        matchers=matchers,
        starts_at=starts_at,
        ends_at=ends_at,
        updated_at=now,
        created_by=given.created_by or "",
        comment=given.comment or "",
        annotations=given.annotations or {},
    )


_FIELDS = {"createdBy": "created_by", "endsAt": "ends_at", "startsAt": "starts_at"}


def _time(text: str | None) -> float:
    try:
        at = moment(text)
    except ValueError:
        expected = "expected one such as 2026-03-01T10:00:00Z"
        raise Unfit(
            400, f'parsing silence body from "" failed, because parsing time "{text}": {expected}', 400
        ) from None
    return 0.0 if at is None else at


def _matchers(given: PostableSilence) -> tuple[Matcher, ...]:
    matchers: list[Matcher] = []
    for index, matcher in enumerate(given.matchers or ()):
        if matcher is None:
            raise Unfit(422, f"matchers.{index} in body is required", 602)
        name, value, is_regex = matcher.name, matcher.value, matcher.is_regex
        for field, content in (("isRegex", is_regex), ("name", name), ("value", value)):
            if content is None:
                raise Unfit(422, f"matchers.{index}.{field} in body is required", 602)
        is_equal = matcher.is_equal is None or matcher.is_equal
        matchers.append(Matcher(name=name or "", value=value or "", is_regex=bool(is_regex), is_equal=is_equal))
    if not matchers:
        raise Unfit(422, "matchers in body should have at least 1 items", 612)
    # Their order means nothing; sorted, the same silence posted again is the same.
    return tuple(
        sorted(matchers, key=lambda matcher: (matcher.name, matcher.value, matcher.is_regex, matcher.is_equal))
    )


def _check_matchers(matchers: Sequence[Matcher], view: View) -> None:
    matches_all = True
    for index, matcher in enumerate(matchers):
        place = f"silence invalid: invalid label matcher {index}"
        if not matcher.name:
            raise Unfit(400, f'{place}: invalid label name ""')
        problem = payload.label_problem({matcher.name: matcher.value})
        if problem:
            raise Unfit(400, f"{place}: {problem}")
        try:
            matches_empty = view.matching([matcher])({})
        except ExpressionError as error:
            raise Unfit(400, f'{place}: invalid regular expression "{matcher.value}": {error}') from None
        # As Alertmanager has it, a negative matcher always narrows, though a missing label satisfies it.
        matches_all = matches_all and matcher.is_equal and matches_empty
    if matches_all:
        raise Unfit(400, "silence invalid: at least one matcher must not match the empty string")
