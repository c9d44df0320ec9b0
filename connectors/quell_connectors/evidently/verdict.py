"""One test of a suite or report, as a finding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from quell.sdk.monitor import Broken, Check, Finding
from quell.sdk.parts import expected
from quell_connectors.evidently.drift import Told

_KNOWN = ("SUCCESS", "FAIL", "WARNING", "ERROR", "SKIPPED")


def verdict_of(
    *,
    name: str,
    about: str,
    status: str,
    place: str,
    said: str,
    told: Told,
    value: float | None,
    threshold: float | None,
    labels: Mapping[str, str],
) -> Iterator[Finding]:
    """By its status: a warning is a failure that is not critical, after an error nobody knows, skipped is nothing."""
    if status not in _KNOWN:
        expected(f"{place}.status", f'one of {", ".join(_KNOWN)}, not "{status[:40]}"')
    if status == "SKIPPED":
        return
    if status == "ERROR":
        yield Broken(labels.get("test") or name, said[:300])
        return
    yield Check(
        name=name,
        entity=told.subject.data,
        about=about,
        passed=status == "SUCCESS",
        summary=said[:2000],
        severity="info" if status == "WARNING" else "warning",
        value=value,
        threshold=threshold,
        labels={label: text[:200] for label, text in labels.items() if text},
        annotations={"evidently": told.version},
        at=told.at,
    )
