"""One test of a suite or report, as a finding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from quell.sdk.monitor import Check, Finding
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
    """By its status: a warning is a failure that is not critical, an error is a finding of its own, skipped is none."""
    if status not in _KNOWN:
        expected(f"{place}.status", f'one of {", ".join(_KNOWN)}, not "{status[:40]}"')
    if status == "SKIPPED":
        return
    failed = status == "ERROR"
    yield Check(
        name="CheckFailedToRun" if failed else name,
        entity=told.subject.data,
        about=f"error/{about}" if failed else about,
        passed=status == "SUCCESS",
        summary=said[:2000],
        severity="info" if status == "WARNING" else "warning",
        value=value,
        threshold=threshold,
        labels={label: text[:200] for label, text in labels.items() if text},
        annotations={"evidently": told.version},
        at=told.at,
    )
    if status in {"SUCCESS", "FAIL", "WARNING"}:  # it runs again
        yield Check(
            name="CheckFailedToRun",
            entity=told.subject.data,
            about=f"error/{about}",
            passed=True,
            summary="it runs",
            labels={label: text[:200] for label, text in labels.items() if text},
            at=told.at,
        )
