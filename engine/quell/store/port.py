"""The store as the daemon sees it: few verbs, values in and out, every write one durable transaction.

Recovery is: take the last snapshot, decide again over every journal group after it with the time it was accepted
at and the rules that the snapshot was made under, and the state is what it was. Decisions that come out again are
committed again, which changes nothing: rows are keyed by their own identity, and a ledger key that exists is left as
it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from quell.model.alert import Alert
from quell.model.decision import Audit, Perform
from quell.model.incident import Incident
from quell.model.records import AnyRecord, StepFinished
from quell.model.run import Run
from quell.store.codec import Sealed

QUARANTINED_BYTES = 500
"""What an entry of the quarantine takes beside its payload, about."""
QuarantineState = Literal["waiting", "replayed", "dropped"]
REPLAY, DROP = "replay_quarantined", "drop_quarantined"
"""Verbs of commands whose target is the id of a quarantine entry."""
LedgerState = Literal["intended", "acting", "done", "failed", "in_doubt"]


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Records accepted in one commit: one turn of the loop. ``seq`` grows by one; ``now`` is when it was accepted."""

    seq: int
    now: float
    records: Sequence[AnyRecord]
    parts: Sequence[Sequence[AnyRecord]] = ()
    """The same by delivery, where that is known and some were told again."""
    size: int = 0
    """Bytes of the records as they were written, before they were packed; 0 where nobody counted them."""


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could not be read, kept for people. ``id`` is given by the store (0 before).

    ``kind`` says what ``payload`` is, and so how it is tried again: "delivery" (the body of a request, or the part of
    one that was not taken, with ``request`` saying what belongs around it), "record" (a record as JSON), "line" (one of
    posted records), "part", "body" and "answer" (what cannot be tried again), "" (a version kept it that did not say).
    ``whole`` is False when only the beginning was kept.

    ``state`` is "waiting" until somebody replays or drops it: then ``seq`` is the group by which that was done,
    ``tried_by`` who did it and ``tried_at`` when; the last two also after a try that failed.
    """

    at: float
    source: str
    reason: str
    payload: bytes
    path: str = ""
    id: int = 0
    kind: str = ""
    request: bytes = b""
    whole: bool = True
    state: QuarantineState = "waiting"
    seq: int = 0
    tries: int = 0
    tried_at: float | None = None
    tried_by: str = ""

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        return len(self.payload) + len(self.request) + QUARANTINED_BYTES


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One act on the outside world: the intent, and the result once there is one.

    ``lease`` is the number under which it was tried last; 0 before it was.
    """

    perform: Perform
    state: LedgerState
    result: StepFinished | None = None
    tries: int = 0
    lease: int = 0


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the append-only trail; ``hash`` chains ``prev_hash`` and the row's own content (SHA-256, hex)."""

    n: int
    audit: Audit
    prev_hash: str
    hash: str


class AuditBreak(msgspec.Struct, frozen=True, kw_only=True):
    """The first row of the audit trail that is missing or was changed; ``text`` says which of the two."""

    n: int
    text: str


class ShownRow(msgspec.Struct, frozen=True, kw_only=True):
    """A message that shows something: ``key`` (an incident, a run, a digest) in a ``channel`` of a chat ``source``.

    ``state``: "wanted" (never sent), "posting" (sent, and nobody knows whether it arrived), "placed" (it stands at
    ``ts`` in ``stands``, which is the channel as the vendor calls it). ``sent`` is a hash of what it shows. In its
    thread everything was told up to ``told``; up to ``telling`` it was tried (0: nothing is under way). ``own``: a
    person asked for it for themselves. ``at`` is when the row was made.
    """

    source: str
    channel: str
    key: str
    ts: str = ""
    thread: str = ""
    stands: str = ""
    state: str = "wanted"
    sent: str = ""
    told: float = 0.0
    telling: float = 0.0
    own: bool = False
    at: float = 0.0


class Holder(msgspec.Struct, frozen=True):
    """A process: ``name`` for people, the rest to tell whether it has ended. ``machine`` is its boot and pid space."""

    name: str
    machine: str = ""
    pid: int = 0
    began: str = ""


class Lease(msgspec.Struct, frozen=True):
    """``holder`` None: its owner ended in order, and said so. ``beat`` counts its renewals."""

    number: int
    beat: int = 0
    holder: Holder | None = None


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """What one journal commit holds: the turn's records, cursors that moved with them, what was rejected.

    ``parts`` are the same records by delivery, where some were told again (`quell.model.retold`).
    """

    now: float
    records: Sequence[AnyRecord]
    cursors: Mapping[str, str] = {}
    quarantined: Sequence[Quarantined] = ()
    parts: Sequence[Sequence[AnyRecord]] = ()


class ReleaseRow(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the release ``id`` that was ``at``, in bytes of whoever asked to keep it.

    The id "" stands for none: it says until when releases were looked for.
    """

    id: str
    at: float
    document: bytes = b""


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What one turn decided, to be committed before any of its deeds is tried. ``seq``: the last group it covers.

    ``said`` holds for intents, by their keys, the action and its arguments as the audit trail is to tell them.
    """

    seq: int
    incidents: Sequence[Incident] = ()
    runs: Sequence[Run] = ()
    intents: Sequence[Perform] = ()
    audits: Sequence[Audit] = ()
    said: Mapping[str, str] = {}


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """What `Store.recover` found. ``state`` is the snapshot's bytes (None: none yet), covering up to ``seq``.

    ``damaged`` names newer snapshots (by their seq) that could not be read and were dropped: worth a warning, and
    nothing is lost by it, for the journal since the older one is still there. ``decided`` is the last group that a
    committed turn covers, ``last`` the last one in the journal, accepted at ``until``; ``behind`` counts the records
    of the groups between these two that no snapshot covers: accepted, and nobody knows to have been decided over.
    """

    seq: int
    state: bytes | None
    cursors: dict[str, str]
    decided: int = 0
    last: int = 0
    until: float = 0.0
    behind: int = 0
    damaged: tuple[int, ...] = ()


class Store(Protocol):
    """Used from one thread at a time (the writer's). Every method raises `StoreError` when it could not be done.

    Once `take_lease` was called, everything that is written carries the lease's number. It is refused with `Fenced`
    when another has taken the next number meanwhile, and the refusal is left for that one's audit trail.
    """

    def lease(self) -> Lease | None:
        """Who holds the store, or held it last; None when nobody ever did."""
        ...

    def lapsed(self, seen: Lease) -> bool:
        """Whether the owner is known to be no more: it ended in order, its process is gone, it was outlasted."""
        ...

    def take_lease(self, seen: Lease | None) -> Lease:
        """Takes the next number. Raises `InUse` when the lease is not as it was ``seen``: its owner lives."""
        ...

    def renew_lease(self) -> None:
        """Shows that its owner lives; what was refused to former owners goes into the audit trail. Raises `Fenced`."""
        ...

    def give_up_lease(self) -> None:
        """Lets the next owner begin at once."""
        ...

    def accept(self, accepted: Accepted) -> Group:
        """Appends one journal group; durable when it returns.

        A `StepFinished` among the records also settles its ledger entry (as `finish_act`) in the same commit, so that
        no crash can part what the journal says from what the ledger says. A command `REPLAY` or `DROP` marks its
        quarantine entry, likewise: what is replayed stands in the same group.
        """
        ...

    def commit(self, turn: Turn) -> list[Perform]:
        """Keeps what a turn decided; returns the intents whose ledger key is new. Durable when it returns.

        Committing a turn again (after a recovery) adds nothing to ledger or audit trail. Each new intent to do
        something that is ``said`` is told in the audit trail; what was tried under a lease is, when it ends.
        """
        ...

    def begin_act(self, key: str) -> None:
        """Marks a ledger entry as being tried. Raises StoreError for an unknown key, and when it is done or failed."""
        ...

    def finish_act(self, result: StepFinished) -> None:
        """Keeps the result of a ledger entry. The first "done" or "failed" stays.

        "pending" leaves the entry unfinished; "in_doubt" ends it until a later result says what had become of it.
        Raises StoreError for an unknown key.
        """
        ...

    def unfinished(self) -> list[LedgerEntry]:
        """Entries "intended" or "acting", oldest first: to be performed or reconciled after a start."""
        ...

    def ledger(self, run: str = "", limit: int = 1000) -> list[LedgerEntry]:
        """Entries of a run ("": all), newest first."""
        ...

    def save_snapshot(self, seq: int, state: bytes | Sealed) -> None:
        """Keeps the state that covers groups up to ``seq``. The last two snapshots are kept.

        A large state is better sealed beforehand (`quell.store.codec.seal`), on another thread than the writer's.
        """
        ...

    def recover(self) -> Recovered:
        """The last readable snapshot and the cursors.

        Raises StoreError when none can be read and the journal no longer begins at the first group.
        """
        ...

    def decided_until(self) -> float:
        """The latest moment that anything committed speaks of; 0 when nothing was. Timers leave no other trace."""
        ...

    def groups_after(self, seq: int, *, at_once: int = 200) -> Iterator[Group]:
        """Journal groups with a greater seq, in order; ``at_once`` are held in memory."""
        ...

    def quarantine(self, limit: int = 100, *, state: str = "", source: str = "") -> list[Quarantined]:
        """The newest quarantined payloads, newest first; only those of a state, of a source."""
        ...

    def quarantine_after(self, entry_id: int, limit: int) -> list[Quarantined]:
        """The newest entries behind that one, newest first, without what was sent: ``payload`` and ``request``.

        When all were trimmed, numbers may begin anew.
        """
        ...

    def quarantined(self, entry_id: int) -> Quarantined | None:
        """One entry of the quarantine."""
        ...

    def quarantine_size(self) -> int:
        """How many entries wait."""
        ...

    def tried_again(self, entry_id: int, reason: str, *, at: float, by: str) -> None:
        """A waiting entry was tried again in vain, for that reason."""
        ...

    def set_aside_again(self, seq: int, entries: Sequence[Quarantined]) -> list[Quarantined]:
        """Of records that group ``seq`` held and the core failed on: those that come from no replay.

        The others' entries, which that group had marked as replayed, wait again, with the new reason.
        """
        ...

    def keep_quarantined(self, entries: Sequence[Quarantined]) -> None:
        """Keeps payloads that could not be read when there are no records beside them."""
        ...

    def incident(self, incident_id: str) -> Incident | None:
        """An incident, also one that the state has forgotten."""
        ...

    def runs(self, since: float = 0.0) -> list[Run]:
        """Runs of playbooks that began at ``since`` or later, the first first."""
        ...

    def resolved(self, limit: int = 1000) -> list[Incident]:
        """The resolved incidents that opened last, newest first."""
        ...

    def audit(self, limit: int = 1000) -> list[AuditEntry]:
        """The newest audit entries, newest first."""
        ...

    def verify_audit(self) -> AuditBreak | None:
        """The first broken row of the audit trail; None when it is whole."""
        ...

    def note(self, audits: Sequence[Audit]) -> None:
        """Puts into the audit trail what no turn decided: it comes once, and not again with a recovery."""
        ...

    def shown(self) -> list[ShownRow]:
        """What stands where people talk."""
        ...

    def keep_shown(self, kept: Sequence[ShownRow], gone: Sequence[ShownRow] = ()) -> None:
        """Keeps what stands there now, by source, channel and key, and forgets others."""
        ...

    def releases(self, since: float = 0.0) -> list[ReleaseRow]:
        """What is kept of releases from then on, the oldest first."""
        ...

    def keep_releases(self, rows: Sequence[ReleaseRow]) -> None:
        """Keeps what became of releases, by id, as long as incidents; what was kept before of the same is gone."""
        ...

    def keep_alerts(self, alerts: Sequence[Alert]) -> None:
        """Keeps alerts that are over, for those who ask later. Of a firing that is kept twice the last word counts."""
        ...

    def alerts(self, since: float = 0.0) -> Iterator[Alert]:
        """The kept alerts that ended at ``since`` or later, each firing once, those that were kept last first."""
        ...

    def trim(
        self,
        *,
        records_before: float,
        incidents_before: float,
        audit_before: float,
        alerts_before: float = 0.0,
        contexts_before: float | None = None,
        distributions_before: float | None = None,
        quarantine_before: float | None = None,
        quarantine_bytes: int | None = None,
        most: int = 1_000,
    ) -> int:
        """Forgets what is older than given (never what recovery needs); returns how many rows went, or grew less.

        At most about ``most`` rows of each kind go at once, so that nobody waits long for the writer: whoever wants
        all of it gone calls again until 0 is returned. Runs and the ledger go with the incidents; quarantine, raw
        contexts and distributions with the records unless they have an age of their own; of more than
        ``quarantine_bytes`` the oldest goes first.
        """
        ...

    def compact(self) -> int:
        """Gives the disk back some of what trimming left empty; returns how many bytes, 0 when it is not worth more."""
        ...

    def close(self) -> None:
        """Gives up the database; the store is not used afterwards."""
        ...
