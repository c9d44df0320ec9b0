"""Drafts of post-mortems: what is on record stands there, what is not is asked, and no text can become markup."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from core.scene import T0, Scene, deploy, ends, outage, playbook, rulebook, says
from quell.model.alert import Alert
from quell.model.incident import Incident, Suspect, TimelineEntry
from quell.model.records import FeedbackRecord
from quell.postmortem.draft import Material, draft
from quell.postmortem.markdown import code, plain

FAULT = ("ledger", "payments", "checkout", "frontend")


def material(scene: Scene, **given_: Any) -> Material:
    incident, state = scene.engine.state.incidents[scene.incidents[0].id], scene.engine.state
    fields: dict[str, Any] = {
        "incident": incident,
        "alerts": [state.alerts[each] for each in incident.alerts],
        "runs": [run for run in state.runs.values() if run.incident == incident.id],
        "changes": list(state.changes.values()),
        "entities": [state.entities[each] for each in incident.entities if each in state.entities],
        "explanation": scene.engine.explain(incident.id),
        "now": state.now,
    }
    return Material(**{**fields, **given_})


def story() -> Scene:
    scene = Scene(rulebook(playbooks=(playbook("tell"),)))
    scene.tell(deploy("ledger", -60.0, summary="new driver"), *outage())
    scene.wait(120.0)
    scene.tell(says("ack", scene.incident.id, 180.0))
    scene.tell(*(ends(service, 900.0) for service in FAULT))
    scene.wait(4000.0)
    return scene


def test_people_were_told_when_they_were_first_called() -> None:
    scene = story()
    incident = scene.engine.state.incidents[scene.incidents[0].id]
    assert incident.paged_at is not None
    anew = TimelineEntry(at=T0 + 9000.0, what="paged", text="2 alerts, first cause service/ledger")
    again = msgspec.structs.replace(incident, paged_at=anew.at, timeline=(*incident.timeline, anew))
    (told,) = (line for line in draft(material(scene)).splitlines() if line.startswith("| People told"))
    text = draft(material(scene, incident=again))
    assert told in text.splitlines()
    assert "People heard of it" not in text


def part(text: str, head: str) -> str:
    return text.partition(f"## {head}\n")[2].partition("\n## ")[0]


def test_it_tells_the_whole_course() -> None:
    scene = story()
    text = draft(material(scene))
    short = part(text, "In short")
    assert "| First abnormal signal | 2023-11-14T22:13:20Z |" in short
    assert "by ana (3m after the first signal)" in short
    cause = part(text, "Cause")
    assert "quell's first suspect is `service/ledger`" in cause
    assert "The change in question: deploy `v9` of `service/ledger`" in cause
    assert "How trouble travelled: `service/ledger` → `service/payments`" in cause
    assert "For it:" in cause
    assert "Others that were suspected:" in cause
    course = part(text, "Timeline").splitlines()
    assert [row for row in course if "HighErrorRate begins at service/ledger" in row]
    assert course.index(next(row for row in course if "deploy of service/ledger" in row)) < course.index(
        next(row for row in course if "HighErrorRate begins at service/ledger" in row)
    )
    assert any("the last alert is over" in row for row in course)
    assert len([row for row in course if "begins" in row and "playbook tell" in row]) == 1
    assert not [row for row in course if "run begun" in row or "run ended" in row]
    done = part(text, "What was done")
    assert "**tell** (run `" in done
    assert draft(material(scene)) == text


def test_what_is_not_on_record_is_asked() -> None:
    asked = part(draft(material(story())), "Open questions")
    assert "Was `service/ledger` the cause? Nobody has confirmed it." in asked
    scene = Scene()
    scene.tell(*outage())
    scene.wait(120.0)
    asked = part(draft(material(scene)), "Open questions")
    assert "It is still open: what is left to do?" in asked
    assert "Nobody acknowledged it." in asked


def test_one_that_the_core_forgot_is_drafted_from_what_is_left() -> None:
    kept = material(story())
    incident = msgspec.structs.replace(kept.incident, symptoms=("HighErrorRate: too many",))
    text = draft(Material(incident=incident, alerts=[], runs=[], changes=[], entities=[], explanation=None, now=1e9))
    assert "HighErrorRate: too many" in part(text, "Alerts")
    assert "Evidence:" in part(text, "Cause")


NASTY = st.text(st.characters(codec="utf-8") | st.sampled_from("`*_[]<>|#-+1.\n\r\t\\"), max_size=40)


@given(NASTY, NASTY, NASTY)
def test_no_text_becomes_markup(title: str, name: str, said: str) -> None:
    alert = Alert(fingerprint="a", source="s", labels={"alertname": name}, status="firing", starts_at=1.0,
                  updated_at=1.0, onset_seen=1.0, entity=name or None)  # fmt: skip
    incident = Incident(id="INC-1", title=title, status="open", opened_at=2.0, updated_at=3.0, alerts=("a",),
                        suspects=(Suspect(entity=name, confidence=0.5, path=(name, title)),), impact=(title,),
                        timeline=(TimelineEntry(at=2.0, what="opened", text=said, by=name),))  # fmt: skip
    text = draft(
        Material(incident=incident, alerts=[alert], runs=[], changes=[], entities=[], explanation=None, now=9.0)
    )
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        line for line in text.splitlines() if line.startswith(("# Post-mortem:", "## "))
    ]
    rows = [line for line in part(text, "Timeline").splitlines() if line]
    assert all(row.replace("\\|", "").count("|") == 4 for row in rows), rows


@given(NASTY)
def test_plain_and_code_stay_on_one_line(text: str) -> None:
    assert "\n" not in plain(text)
    assert "<" not in plain(text).replace("\\<", "")
    assert code(text).count("`") in {0, 2}
    assert (plain(text) + code(text)).isprintable()


def test_who_confirmed_or_denied_the_cause_is_heard() -> None:
    scene, now = story(), 4000.0
    for verdict, note, expected in (
        ("right_cause", "", None),
        ("wrong_cause", "it was the *switch*", "ana says that the first suspect was not the cause: it was the"),
    ):
        now += 10.0
        at = T0 + now
        scene.tell(
            FeedbackRecord(at=at, seen=at, verdict=verdict, incident=scene.incidents[0].id, by="ana", note=note)  # type: ignore[arg-type]
        )
        asked = part(draft(material(scene)), "Open questions")
        assert "Nobody has confirmed it" not in asked
        assert expected is None or expected in asked
