"""LaunchDarkly's webhook: an entry of its audit log, about one thing in one or several environments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from quell.model.records import ChangeRecord
from quell.sdk.change_events import Places, parts, short_text, when
from quell.sdk.flags import Which, flag_change
from quell.sdk.parts import expected, text_of
from quell.sdk.vocabulary import scalar_text

_RESOURCE = re.compile(
    r"proj/(?P<project>[^:;*]+)[^:]*:env/(?P<environment>[^:;*]+|\*)[^:]*:(?:flag|segment)/(?P<flag>[^:;*]+)"
)


def changes(body: Mapping[str, Any], places: Places, source: str, now: float) -> Iterator[ChangeRecord]:
    """One for each flag and environment that the entry names. Raises `BadPayload`."""
    kind = text_of(body.get("kind"), "kind")
    if kind not in {"flag", "segment"}:
        return
    target = body.get("target")
    resources = target.get("resources") if isinstance(target, dict) else None
    found = [_RESOURCE.match(each) for each in parts(resources) if isinstance(each, str)]
    named = {(one["project"], one["environment"], one["flag"]) for one in found if one is not None}
    if not named:
        expected("target.resources", "resources such as proj/shop:env/production:flag/new-checkout")
    member, before, after = body.get("member"), body.get("previousVersion"), body.get("currentVersion")
    who = scalar_text(member.get("email")) if isinstance(member, dict) else ""
    token = body.get("token")
    author = who or (scalar_text(token.get("name")) if isinstance(token, dict) else "")
    for project, environment, flag in sorted(named):
        wide = environment == "*"
        yield flag_change(
            Which(flag, project, "" if wide else environment),
            places,
            at=when(body.get("date"), now),
            identity=f"{scalar_text(body.get('_id'))}/{environment}/{flag}",
            author=author,
            summary=short_text(body.get("comment"), body.get("shortDescription"), body.get("title"), body.get("name")),
            source=source,
            now=now,
            previous=_state(before, environment),
            revision=_state(after, environment),
        )


def _state(version: Any, environment: str) -> str:
    """Whether it is on there, as far as it is told."""
    environments = version.get("environments") if isinstance(version, dict) else None
    there = environments.get(environment) if isinstance(environments, dict) else None
    on = there.get("on") if isinstance(there, dict) else None
    return "" if not isinstance(on, bool) else "on" if on else "off"
