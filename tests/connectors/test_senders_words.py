"""`quell.sdk.vocabulary` and `quell.sdk.moments`, on which every receiving connector rests."""

from __future__ import annotations

from typing import Any

import pytest

from quell.sdk.moments import read_moment
from quell.sdk.vocabulary import (
    change_type_of,
    common_names,
    scalar_text,
    sorted_out,
    spoken_change_type,
    status_of,
    words_of,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dev.cdevents.service.deployed.0.2.0", ("dev", "cdevents", "service", "deployed")),
        ("com.x.featureFlagToggled.v2", ("com", "x", "feature", "flag", "toggled")),
        ("HTTPRoute_changed", ("http", "route", "changed")),
        ("", ()),
    ],
)
def test_words(text: str, words: tuple[str, ...]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("text", "status"),
    [("OK", "resolved"), ("ALARM", "firing"), ("OK -> ALARM", "firing"), ("Recovered", "resolved"), ("blue", None)],
)
def test_the_last_telling_word_is_the_status(text: str, status: str | None) -> None:
    assert status_of(words_of(text)) == status


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("application.synced", "deploy"),
        ("model.registered", "model"),
        ("greeting.created", None),
        ("pipelinerun.started", None),
        ("service", None),
    ],
)
def test_a_change_needs_a_deed(text: str, kind: str | None) -> None:
    assert change_type_of(words_of(text)) == kind


def test_a_sentence_speaks_of_a_kind_of_change() -> None:
    assert spoken_change_type("Configuration of cart changed") == "config"
    assert spoken_change_type("hello", "data") == "data"


def test_usual_names_stand_beside_a_sender_s_own_and_never_replace_them() -> None:
    assert common_names({"kube_namespace": "a", "host": "n", "node": "m"}) == {
        "kube_namespace": "a",
        "namespace": "a",
        "host": "n",
        "node": "m",
    }


def test_details_are_sorted_into_what_identifies_and_what_describes() -> None:
    details: dict[str, Any] = {
        "dag_id": "d", "event_id": "e", "num_firing": "3", "note": "a\nb", "long": "x" * 300, "n": 1.5, "up": True,
        "none": None, "list": [1], "empty": "", "": "x",
    }  # fmt: skip

    assert sorted_out(details) == (
        {"dag_id": "d"},
        {"event_id": "e", "num_firing": "3", "note": "a\nb", "long": "x" * 300, "n": "1.5", "up": "true"},
    )
    assert scalar_text(10**5000) == ""


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("2026-03-01T10:00:00Z", 1772359200.0),
        ("2026-03-01T10:00:00.123456789+00:00", 1772359200.123456),
        ("2026-03-01T11:00:00.000+0100", 1772359200.0),
        ("2026-03-01T10:00:00", 1772359200.0),
        (1772359200, 1772359200.0),
        ("1772359200.5", 1772359200.5),
        (1772359200000, 1772359200.0),
        (1772359200000000, 1772359200.0),
        (1772359200000000000, 1772359200.0),
        ("0001-01-01T00:00:00Z", None),
        (None, None),
        ("", None),
        (0, None),
    ],
)
def test_times(value: object, at: float | None) -> None:
    assert read_moment(value) == at


@pytest.mark.parametrize("value", ["noon", "2026-13-01T00:00:00Z", -5, float("nan"), True, [1], {}, 10**400, "1e99"])
def test_what_is_no_time_says_what_was_expected(value: object) -> None:
    with pytest.raises(ValueError, match="send RFC 3339 text or seconds since 1970"):
        read_moment(value)
