"""What the files may refer to is what the core gives."""

from quell.config.built_in import BUILT_IN
from quell.config.playbook_checks import ROOTS
from quell.config.references import FIELDS, INCIDENT_ROOTS, MEMBERS, STEP_FIELDS
from quell.core.context import incident_context, run_context
from quell.expressions.cel_text import CALL_FUNCTION
from quell.model.alert import Alert
from quell.model.incident import Evidence, Incident, Suspect
from quell.model.playbook import Place, Playbook
from quell.model.run import Run, StepRun
from quell.model.state import State
from quell.model.topology import Change

CHANGE = Change(id="c", at=1.0, type="deploy", entity="service/a", revision="2", previous="1")
POINT = Evidence(code="explains", text="explains all", weight=1.0)
SUSPECT = Suspect(entity="service/a", change="c", kind="deploy", evidence=(POINT,))
INCIDENT = Incident(
    id="i", title="t", status="open", opened_at=1.0, updated_at=1.0, suspects=(SUSPECT,), alerts=("a",)
)  # fmt: skip
ALERT = Alert(fingerprint="a", source="s", labels={}, status="firing", starts_at=1.0, updated_at=1.0, onset_seen=1.0)
STATE = State(now=2.0, incidents={"i": INCIDENT}, changes={"c": CHANGE}, alerts={"a": ALERT})
RUN = Run(
    id="r", playbook="p", incident="i", state="running", mode="enforce", why="", started_at=1.0, updated_at=1.0,
    suspect=SUSPECT, steps=(StepRun(id="s", do="x.y"),),
)  # fmt: skip


def test_conditions_of_a_playbook_see_what_is_checked_for():
    context = incident_context(STATE, INCIDENT, SUSPECT, 2.0)
    assert set(context) == INCIDENT_ROOTS | {CALL_FUNCTION}
    assert {name: set(context[name]) for name in ("incident", "suspect", "change")} == {
        name: set(FIELDS[name]) for name in ("incident", "suspect", "change")
    }


def test_members_of_lists_are_what_is_checked_for():
    context = incident_context(STATE, INCIDENT, SUSPECT, 2.0)
    for path, fields in MEMBERS.items():
        members = context
        for name in path:
            members = members[name]
        assert [set(one) for one in members] == [set(fields)], path


def test_steps_see_what_is_checked_for():
    context = run_context(STATE, Playbook(name="p", place=Place(file="p", line=1)), RUN, 2.0, {"x": 1})
    assert set(context) == ROOTS | {"steps", "result", CALL_FUNCTION}
    assert {name: set(context[name]) for name in ("playbook", "run")} == {
        name: set(FIELDS[name]) for name in ("playbook", "run")
    }
    assert set(context["steps"]["s"]) | {"before"} == STEP_FIELDS


def test_built_in_actions_need_no_source():
    assert {name for name in BUILT_IN if "." not in name} == {"approve", "approve_then", "escalate", "wait"}
