from __future__ import annotations

from typing import Any

import msgspec
import pytest

from quell.errors import BadPayload, Refused
from quell.sdk.cluster import Change, Cluster, Conflict, Missing, at, selector
from quell.sdk.fakes import FakeHttp
from quell.sdk.http import Answer
from quell.sdk.testkit import run


def answer(body: Any, status: int = 200) -> Answer:
    return Answer(status, {}, msgspec.json.encode(body))


def test_selectors_are_written_as_the_api_takes_them() -> None:
    rules = [
        {"key": "tier", "operator": "In", "values": ["web", "api"]},
        {"key": "zone", "operator": "NotIn", "values": ["a"]},
        {"key": "canary", "operator": "DoesNotExist"},
        {"key": "app", "operator": "Exists"},
    ]
    found = {"matchLabels": {"b": "2", "a": "1"}, "matchExpressions": rules}
    assert selector(found) == "a=1,b=2,tier in (web,api),zone notin (a),!canary,app"
    assert (selector(None), selector({})) == ("", "")


def test_what_is_not_there_is_none() -> None:
    assert at({"a": {"b": 1}}, "a", "b") == 1
    assert at({"a": [1]}, "a", "b") is None
    assert at(None, "a") is None


@pytest.mark.parametrize("name", ["", "UPPER", "a/b", "..", "a" * 300, "a?b", "ü", None, "-a"])
def test_names_cannot_leave_their_place_in_the_address(name: Any) -> None:
    cluster = Cluster({}, FakeHttp())
    with pytest.raises(Refused, match="nothing was done"):
        cluster.place("api/v1", "pods", name)
    if name:
        with pytest.raises(Refused, match="is no name of a namespace"):
            cluster.folder("api/v1", "pods", name)


def test_a_list_is_read_to_its_end_and_no_further_than_asked() -> None:
    pages = [
        answer({"metadata": {"continue": "next"}, "items": [{"metadata": {"name": str(number)}}] * 2})
        for number in range(3)
    ]
    http = FakeHttp(*pages, answer({"metadata": {}, "items": []}))
    cluster = Cluster({"url": "https://k8s.example"}, http)
    assert len(run(cluster.find("/api/v1/namespaces/a/pods", 5.0, labels="a=b", most=3))) == 3
    assert [sent.query for sent in http.sent] == [
        {"limit": "3", "labelSelector": "a=b"},
        {"limit": "3", "labelSelector": "a=b", "continue": "next"},
    ]


@pytest.mark.parametrize("body", [[], {}, {"metadata": {}, "items": [7]}])
def test_what_is_no_list_is_told(body: Any) -> None:
    with pytest.raises(BadPayload):
        run(Cluster({}, FakeHttp(answer(body))).find("/api/v1/namespaces/a/pods", 5.0))


def test_a_conflict_and_a_missing_object_are_told_apart() -> None:
    status = {"kind": "Status", "message": "it says why", "reason": "x"}
    for code, kind in ((409, Conflict), (404, Missing), (422, Refused)):
        cluster = Cluster({}, FakeHttp(answer(status, code)))
        place = cluster.place("api/v1", "pods", "a")
        with pytest.raises(kind, match=rf"Kubernetes \(PATCH pod default/a\) answered {code}: it says why"):
            run(cluster.patch(place, Change({}), 5.0))
