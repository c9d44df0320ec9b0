"""Routes by which people act: every act enters the core as a record, and the answer waits for its turn."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from quell.chatops.marks import asked_mark
from quell.daemon.api import quarantine
from quell.daemon.api.known import known_incident
from quell.daemon.api.saying import add_saying
from quell.daemon.api.services import Services, answer, need, put
from quell.daemon.api.suggesting import add_acting
from quell.daemon.auth import Principal
from quell.daemon.commanding import commanded
from quell.daemon.lines import MOST_REJECTED_BYTES, read_lines
from quell.model.records import CommandRecord, FeedbackRecord, Verdict
from quell.model.run import Run
from quell.store.port import Quarantined

Actor = Annotated[Principal, Depends(need("act"))]
Approver = Annotated[Principal, Depends(need("approve"))]
Sender = Annotated[Principal, Depends(need("ingest"))]
_SOURCE = "api"


class Note(BaseModel):
    """A sentence for the record."""

    model_config = ConfigDict(extra="forbid")
    note: str = Field(default="", max_length=10_000)


class Word(Note):
    """A person's word on a run."""

    looked: bool = Field(
        default=False,
        description="It says what became of an act that is in doubt: approve, it took effect; reject, it did not.",
    )


class Consent(Word):
    """A yes to what stands beside ``mark``; with ``version`` only to that version of the incident."""

    mark: str = Field(
        default="",
        pattern="^([0-9a-f]{4,16})?$",
        description="The beginning of the approval's bound_to that you have read, four letters or more: the yes is to "
        "that. Needed, but where you say what became of an act in doubt.",
    )

    version: int | None = Field(
        default=None, ge=1, description="The version of the incident that you have read; refused if it has another."
    )


class Judgement(Note):
    """A person's judgement of an incident."""

    verdict: Verdict


class Wanted(Note):
    """A run that a person asks for; without an incident for a playbook that needs none."""

    incident: str = ""
    dry: bool = False


def acting(services: Services) -> APIRouter:
    """The routes; they need the scopes act, approve and ingest."""
    router = APIRouter()
    _incidents(router, services)
    _runs(router, services)
    _playbooks(router, services)
    _records(router, services)
    _git(router, services)
    add_acting(router, services)
    add_saying(router, services)
    quarantine.add_acting(router, services)
    return router


async def _command(
    services: Services, by: Principal, verb: str, target: str, *, wanted: tuple[str, ...] = (), **args: str
) -> bool:
    """Puts a command and waits for its turn; False when that takes too long, a 409 with the reason when refused."""
    now = services.clock.now()
    full: dict[str, Any] = {name: value for name, value in args.items() if value}
    full["roles"] = by.roles(wanted)
    record = CommandRecord(at=now, seen=now, source=_SOURCE, verb=verb, target=target, by=by.by, args=full)
    why = await commanded(services.loop, services.inbox, services.writer, record)
    if why:
        raise HTTPException(409, why)
    return why is not None


def _later(what: str) -> Response:
    return answer({"accepted": True, "text": f"{what}: accepted, not decided over yet"}, 202)


def _incidents(router: APIRouter, services: Services) -> None:
    async def act(verb: str, incident_id: str, note: Note, by: Principal) -> Response:
        await known_incident(services, incident_id)
        if not await _command(services, by, verb, incident_id, note=note.note):
            return _later(verb)
        return answer({"incident": await known_incident(services, incident_id)})

    @router.post("/incidents/{incident_id}/ack", summary="Acknowledge: somebody is on it")
    async def ack(incident_id: str, note: Note, by: Actor) -> Response:
        return await act("ack", incident_id, note, by)

    @router.post("/incidents/{incident_id}/resolve", summary="Resolve")
    async def resolve(incident_id: str, note: Note, by: Actor) -> Response:
        return await act("resolve", incident_id, note, by)

    @router.post("/incidents/{incident_id}/reopen", summary="Open again")
    async def reopen(incident_id: str, note: Note, by: Actor) -> Response:
        return await act("reopen", incident_id, note, by)

    @router.post("/incidents/{incident_id}/feedback", summary=f"Judge: {', '.join(get_args(Verdict))}")
    async def feedback(incident_id: str, judgement: Judgement, by: Actor) -> Response:
        await known_incident(services, incident_id)
        now = services.clock.now()
        record = FeedbackRecord(
            at=now, seen=now, source=_SOURCE, verdict=judgement.verdict, incident=incident_id, by=by.by,
            note=judgement.note,
        )  # fmt: skip
        if not await put(services, [record]):
            return _later("feedback")
        return answer({"incident": await known_incident(services, incident_id)})


def _runs(router: APIRouter, services: Services) -> None:
    def known(run_id: str) -> Run:
        found = services.state.runs.get(run_id)
        if found is None:
            raise HTTPException(404, f'no run has the id "{run_id}"')
        return found

    async def act(verb: str, run_id: str, note: Note, by: Principal) -> Response:
        run = known(run_id)
        approval, mark = run.approval, note.mark if isinstance(note, Consent) else ""
        if isinstance(note, Consent) and not note.looked and not mark and asked_mark(run):
            raise HTTPException(409, f"say what you have read: the mark beside it, which quell runs {run_id} shows")
        wanted = approval.who if approval is not None else ()
        bound = approval.bound_to if approval is not None and verb == "approve" else ""
        answers = ("doubt" if note.looked else "approval") if isinstance(note, Word) else ""
        version = str(note.version or "") if isinstance(note, Consent) else ""
        said = {"note": note.note, "bound": bound, "answers": answers, "mark": mark, "version": version}
        if not await _command(services, by, verb, run_id, wanted=wanted, **said):
            return _later(verb)
        return answer({"run": known(run_id)})

    @router.post("/runs/{run_id:path}/approve", summary="Say yes to a run that waits")
    async def approve(run_id: str, note: Consent, by: Approver) -> Response:
        return await act("approve", run_id, note, by)

    @router.post("/runs/{run_id:path}/reject", summary="Say no to a run that waits")
    async def reject(run_id: str, note: Word, by: Approver) -> Response:
        return await act("reject", run_id, note, by)

    @router.post("/runs/{run_id:path}/stop", summary="Stop a run before its next step")
    async def stop(run_id: str, note: Note, by: Approver) -> Response:
        return await act("stop", run_id, note, by)

    @router.post("/runs/{run_id:path}/release", summary="Release the locks of a stuck run: somebody has looked")
    async def release(run_id: str, note: Note, by: Approver) -> Response:
        return await act("release", run_id, note, by)


def _playbooks(router: APIRouter, services: Services) -> None:
    @router.post("/playbooks/{name}/run", summary="Run a playbook, for an incident if it needs one")
    async def run(name: str, wanted: Wanted, by: Actor) -> Response:
        if all(playbook.name != name for playbook in services.loop.rulebook.playbooks):
            raise HTTPException(404, f'no playbook is named "{name}"')
        incident = (await known_incident(services, wanted.incident)).id if wanted.incident else ""
        before = set(services.state.runs)
        dry = "true" if wanted.dry else ""
        if not await _command(services, by, "run", name, incident=incident, dry=dry, note=wanted.note):
            return _later("run")
        new = [run for run_id, run in services.state.runs.items() if run_id not in before and run.playbook == name]
        return answer({"runs": new})

    @router.post("/pause", summary="Keep every playbook from acting")
    async def pause(note: Note, by: Approver) -> Response:
        done = await _command(services, by, "pause", "", note=note.note)
        return answer({"paused_by": services.state.paused_by}) if done else _later("pause")

    @router.post("/unpause", summary="Let playbooks act again")
    async def unpause(note: Note, by: Approver) -> Response:
        done = await _command(services, by, "unpause", "", note=note.note)
        return answer({"paused_by": services.state.paused_by}) if done else _later("unpause")


def _git(router: APIRouter, services: Services) -> None:
    @router.post("/git/sync", summary="Look at the branch of rules now, and take its newest commit up if it may be")
    async def sync(_by: Actor) -> Response:
        if services.git.status() is None:
            raise HTTPException(409, "rules do not come from git: quell.yaml has no git:")
        problem = await services.git.look(again=True)
        return answer({"git": services.git.status(), "problem": problem})


def _records(router: APIRouter, services: Services) -> None:
    @router.post("/records", summary="Records as JSON lines; lines that cannot be read go to quarantine")
    async def records(request: Request, by: Sender) -> Response:
        now = services.clock.now()
        read = read_lines(await request.body(), now, services.delivered, may_command=by.may("admin"))
        bad = [
            Quarantined(
                at=now,
                source=_SOURCE,
                reason=each.reason,
                payload=each.payload,
                path="/records",
                kind="line",
                whole=len(each.payload) < MOST_REJECTED_BYTES,
            )
            for each in read.rejected
        ]
        seq = await services.inbox.put(read.records, quarantined=bad) if read.records or bad else 0
        await services.loop.passed(seq, 5.0)
        problems = [each.reason for each in read.rejected]
        told = {"accepted": len(read.records), "rejected": len(bad), "problems": problems[:100]}
        if bad and not read.records:
            return answer({**told, "error": "; ".join(problems[:10])}, 400)
        return answer(told)
