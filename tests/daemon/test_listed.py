"""The list of incidents says what `to_wire` says of each, whatever was told before."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from quell.daemon.api import listed
from quell.daemon.api.listed import Listed
from quell.model.incident import Incident
from quell.model.wire import to_wire


def incident(number: int, **more: Any) -> Incident:
    at = 1_700_000_000.0 + number
    told: dict[str, Any] = {"id": f"I{number}", "title": f"number {number}", "status": "open", "severity": "critical"}
    return Incident(opened_at=at, updated_at=at, **{**told, **more})


def plain(incidents: list[Incident]) -> bytes:
    return msgspec.json.encode(to_wire({"incidents": incidents}))


def test_it_is_what_is_told_of_each() -> None:
    told, made = Listed(), [incident(1), incident(2, alerts=("a", "b"))]
    assert told.written([]) == plain([])
    assert told.written(made) == told.written(made) == plain(made)
    assert told.written(made[:1]) == plain(made[:1])
    assert told.written(made[::-1]) == plain(made[::-1])


def test_what_changed_is_told_anew_also_under_the_same_time() -> None:
    told, first, other = Listed(), incident(1), incident(2)
    told.written([first, other])
    changed = msgspec.structs.replace(first, alerts=("a",), title="grown")
    assert told.written([changed, other]) == plain([changed, other])
    assert told.written([first, other]) == plain([first, other])


def test_only_what_has_changed_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    def counted(one: Incident) -> Any:
        written.append(one.id)
        return to_wire(one)

    monkeypatch.setattr(listed, "to_wire", counted)
    told, made = Listed(), [incident(1), incident(2)]
    told.written(made)
    told.written([made[0], msgspec.structs.replace(made[1], title="other")])
    assert written == ["I1", "I2", "I2"]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed, "MOST_BYTES", 1_500)
    told, made = Listed(), [incident(number) for number in range(50)]
    assert told.written(made) == told.written(made) == plain(made)
    assert sum(len(each) for _, each in told._told.values()) <= 1_500
