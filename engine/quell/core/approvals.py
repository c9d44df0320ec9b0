"""Approvals: who is asked, what their answer covers, and what counts as an answer. Silence is never a yes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from quell.core.catalog import entity_of, named
from quell.core.context import blank, rendered
from quell.core.desk import Desk, asks
from quell.core.plan import binding, foreseen, prepared, version_of
from quell.core.stand import AWAITED, current, cut_short, with_current, without_rest
from quell.errors import ExpressionError
from quell.model.incident import Incident
from quell.model.playbook import Playbook, Step
from quell.model.records import CommandRecord
from quell.model.run import Approval, Run
from quell.model.times import format_duration


def ask_for_run(desk: Desk, run: Run, at: float) -> Run:
    """The run proposed as a whole: a person has the playbook's own time limit to say yes."""
    playbook, incident = desk.playbook(run), desk.state.incidents.get(run.incident)
    run = replace(run, state="proposed", steps=foreseen(desk.state, playbook, run, at))
    approval = Approval(
        step="",
        asked_at=at,
        expires_at=at + max(playbook.timeout_s, 0.0),
        bound_to=binding(playbook, run, incident),
        text=playbook.summary or f"Run {playbook.name}",
        incident_version=version_of(incident),
    )
    return replace(run, approval=approval)


def ask_for_step(desk: Desk, run: Run, step: Step, at: float) -> Run:
    """The run waiting at its ``approve`` step. Raises ExpressionError when the question cannot be worded."""
    playbook, incident = desk.playbook(run), desk.state.incidents.get(run.incident)
    wanted = rendered(step.with_, desk.context(run, at))
    act = current(run)
    assert act is not None, "an approval is asked for at a step"
    run = with_current(run, replace(act, state="waiting", started_at=at, params=wanted, sentence="waits for approval"))
    run = replace(run, state="waiting", steps=foreseen(desk.state, playbook, run, at))
    approval = Approval(
        step=step.id.partition(".")[0],
        asked_at=at,
        expires_at=at + max(step.timeout_s, 0.0),
        need=_need(wanted),
        who=_with_owners(desk, _who(wanted)),
        not_requester=wanted.get("not_requester") is True,
        bound_to=binding(playbook, run, incident),
        text=str(wanted.get("text") or playbook.summary or f"Go on with {playbook.name}"),
        channel=str(wanted.get("channel") or ""),
        incident_version=version_of(incident),
    )
    if approval.channel in desk.routes.names:
        text = f"{approval.text}. Look at what it would do, and allow it: quell runs {run.id}"
        desk.page(run, at, f"{act.id}-asks".replace("/", "-"), text, only=approval.channel)
    return replace(run, approval=approval)


def would_ask(desk: Desk, run: Run, step: Step, at: float) -> str:
    """What a dry run says of an approval. Raises ExpressionError."""
    wanted = rendered(step.with_, desk.context(run, at))
    return f"would ask {_need(wanted)} of {', '.join(_who(wanted)) or 'anybody'} for approval"


def _with_owners(desk: Desk, who: tuple[str, ...]) -> tuple[str, ...]:
    """Those who may approve; the owner of an entity is its team too."""
    found = []
    for one in who:
        found.append(one)
        kind, _, name = one.partition(":")
        if kind == "owner":
            whole = entity_of(desk.state, name)
            entities = [whole] if whole is not None else list(named(desk.state, name))
            found.extend(f"team:{entity.owner}" for entity in entities if entity.owner)
    return tuple(dict.fromkeys(found))


def _need(wanted: Mapping[str, Any]) -> int:
    need = wanted.get("need", 1)
    if isinstance(need, str) and need.isdecimal():
        need = int(need)
    if isinstance(need, bool) or not isinstance(need, int) or need < 1:
        raise ExpressionError(f'need: "{need}" is not a number of people, 1 or more')
    return need


def _who(wanted: Mapping[str, Any]) -> tuple[str, ...]:
    who = wanted.get("who") or []
    return tuple(str(one) for one in who) if isinstance(who, list) else (str(who),)


def refusal(run: Run, command: CommandRecord, incident: Incident | None, at: float) -> str:
    """Why this person's yes does not count, "" when it does.

    Roles are known at the edge: where it hands them over in ``args.roles`` they are held against ``who``. So is what
    the person was shown: a yes that comes with ``args.bound``, or with the beginning of it as ``args.mark``, is one to
    that, and to nothing that is asked since; one that comes with ``args.version`` is one to that version of the
    incident, and to none that it has had since.
    """
    approval = run.approval
    if approval is None or not asks(run):
        return f"run {run.id} is {run.state} and waits for nobody's approval"
    if not command.by:
        return "an approval needs a name"
    if at >= approval.expires_at:
        return "the time to approve is over"
    if approval.not_requester and command.by == run.by:
        return f"{command.by} asked for this run, somebody else must approve it"
    if command.by in approval.approved_by:
        return f"{command.by} has approved already, {approval.need} different people are needed"
    if command.args.get("bound", approval.bound_to) != approval.bound_to:
        return f"it asks for something else than what {command.by} was shown; look at it again"
    if not approval.bound_to.startswith(mark := str(command.args.get("mark") or "")):
        return f"what run {run.id} asks for is marked {approval.mark} by now, not {mark}; look at it again"
    read, now = str(command.args.get("version") or ""), version_of(incident)
    if read and read != str(now):
        about = f"incident {run.incident} is at version {now}" if now else f"run {run.id} is about no incident"
        return f"{about}, {command.by} has read version {read}; look at it again"
    return role_refusal(approval, command)


def role_refusal(approval: Approval, command: CommandRecord) -> str:
    """Why the person's roles do not suffice, "" when they do or the edge did not hand any over."""
    roles = command.args.get("roles")
    if not approval.who or not isinstance(roles, (list, tuple)):
        return ""
    held = {str(role) for role in roles} | {f"user:{command.by}"}
    held |= {f"role:{role}" for role in held}
    if held.isdisjoint(approval.who):
        return f"{command.by} is none of {', '.join(approval.who)}"
    return ""


def approved(desk: Desk, run: Run, command: CommandRecord, at: float) -> Run:
    """The run after a yes that counts: granted, waiting for more, asked again, or no longer needed."""
    playbook, approval = desk.playbook(run), run.approval
    assert approval is not None, "only a run that asks is approved"
    incident = desk.state.incidents.get(run.incident)
    renewed = _renewed(desk, playbook, run, approval)
    if isinstance(renewed, str):
        desk.audit(at, command.by, "approve", run.id, f"refused: no longer needed: {renewed}; the run is stopped")
        return stopped(run, at, f"no longer needed: {renewed}")
    if binding(playbook, renewed, incident) != approval.bound_to:
        renewed = replace(renewed, steps=foreseen(desk.state, playbook, renewed, at))
        span = approval.expires_at - approval.asked_at
        detail = f"refused: {_outdated(approval, incident)}; it asks again with the new arguments"
        desk.audit(at, command.by, "approve", run.id, detail)
        fresh = replace(
            approval,
            asked_at=at,
            expires_at=at + span,
            approved_by=(),
            bound_to=binding(playbook, renewed, incident),
            incident_version=version_of(incident),
        )
        return replace(renewed, approval=fresh)
    approval = replace(approval, approved_by=(*approval.approved_by, command.by))
    desk.audit(at, command.by, "approve", run.id, _note(command))
    run = replace(run, approval=approval)
    return run if len(approval.approved_by) < approval.need else _granted(playbook, run, at)


def _outdated(approval: Approval, incident: Incident | None) -> str:
    """What is not as it was when people were asked."""
    now = version_of(incident)
    if incident is not None and now != approval.incident_version:
        return f"incident {incident.id} was at version {approval.incident_version} then, it is at {now}"
    return "what the run would do has changed since it was asked for"


def _renewed(desk: Desk, playbook: Playbook, run: Run, approval: Approval) -> Run | str:
    """The run as it would be asked for now (by the clock of when it was), or why it no longer makes sense.

    Its variables are told by the clock of when it began, so that time alone voids nothing.
    """
    incident = desk.state.incidents.get(run.incident) if run.incident else blank(run.started_at)
    if incident is None:
        return f"incident {run.incident} is forgotten"
    if run.alert and run.alert not in desk.state.alerts:  # over for a day and forgotten: it is as it was
        return replace(run, steps=foreseen(desk.state, playbook, run, approval.asked_at))
    try:
        renewed = prepared(desk.state, playbook, run, incident, run.started_at)
    except ExpressionError as error:
        return str(error)
    if (renewed.each, renewed.locks) != (run.each, run.locks):
        was, now = (", ".join(filter(None, (one.each, *one.locks))) for one in (run, renewed))
        return f'the run was about "{was}", it would now be about "{now}"'
    return replace(renewed, steps=foreseen(desk.state, playbook, renewed, approval.asked_at))


def _granted(playbook: Playbook, run: Run, at: float) -> Run:
    assert run.approval is not None, "an approval was just recorded"
    by = ", ".join(run.approval.approved_by)
    if run.state == "proposed":
        return replace(run, state="running", deadline=at + playbook.timeout_s)
    act = current(run)
    assert act is not None, "a waiting run stands at its approving step"
    act = replace(act, state="done", finished_at=at, sentence=f"approved by {by}")
    return replace(with_current(run, act), state="running")


def rejected(desk: Desk, run: Run, command: CommandRecord, at: float) -> Run:
    """The run after a no: it stops, and nothing further is done."""
    assert run.approval is not None, "only a run that asks is rejected"
    note = _note(command)
    desk.audit(at, command.by, "reject", run.id, note)
    run = replace(run, approval=replace(run.approval, rejected_by=command.by))
    return stopped(run, at, f"rejected by {command.by}" + (f": {note}" if note else ""))


def expired(desk: Desk, run: Run, at: float) -> Run:
    """The run after nobody answered in time: people are told if the step says so, and it stops."""
    approval = run.approval
    assert approval is not None, "only a run that asks expires"
    within = format_duration(approval.expires_at - approval.asked_at)
    error = f"nobody approved it within {within}"
    desk.audit(at, "quell", "approval expired", run.id, error)
    act = current(run)
    step = next((one for one in desk.playbook(run).steps if act is not None and one.id == act.id), None)
    if approval.step and step is not None and step.otherwise == "escalate":
        desk.page(
            run, at, f"{approval.step}-expired", f"Playbook {run.playbook} (run {run.id}): {error}. {approval.text}"
        )
    return stopped(run, at, error)


def stopped(run: Run, at: float, error: str) -> Run:
    """The run ended by people, by their silence or because it is not needed; what was in flight stays in doubt."""
    act = current(run)
    if act is not None and act.state in {"acting", "in_doubt"}:
        act = replace(
            act, state="in_doubt", finished_at=at, due_at=None, error="the run stopped before its answer came"
        )
        run = with_current(run, act)
    elif act is not None and act.state in AWAITED:
        run = with_current(run, replace(act, state=cut_short(act), finished_at=at, due_at=None, sentence=error))
    return replace(without_rest(run, at), state="stopped", error=error)


def _note(command: CommandRecord) -> str:
    return str(command.args.get("note") or "")
