"""All that the core remembers, as plain data: a snapshot of it plus the records since is the whole truth.

Only the core changes it, in place, inside `quell.core.engine.Engine.decide`; everybody else reads. Indexes that can
be computed from it live with the passes that use them and are rebuilt after a restart.
"""

from __future__ import annotations

import msgspec

from quell.model.alert import Alert
from quell.model.clocks import Off
from quell.model.decision import Perform
from quell.model.detecting import Detecting
from quell.model.habits import Habits, Rarity
from quell.model.incident import Incident
from quell.model.mute import Silence
from quell.model.oncall import Climb
from quell.model.playbook import Playbook
from quell.model.provenance import Provenance
from quell.model.records import CallRecord, IncidentRecord
from quell.model.run import Run, Scheduled, Settling, Tried
from quell.model.topology import Change, Dependency, Entity, Gathered


class Triaged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How an alert behaved lately: times of quick returns, durations of past episodes (newest last, bounded).

    ``began`` are the times of its latest firings, quick returns included, but for those that were part of an incident
    that people were called for: the latest of these began at ``called_at``; ``paged_at`` is when it last paged.
    ``worst`` is the worst severity of past firings, ``unheeded`` how many pages in a row ended with nobody having done
    anything, ``dismissed_at`` when a person last said of it that there was nothing to do (None: never, or taken back).
    """

    returns: tuple[float, ...] = ()
    durations_s: tuple[float, ...] = ()
    episodes: int = 0
    began: tuple[float, ...] = ()
    paged_at: float | None = None
    worst: str = ""
    unheeded: int = 0
    dismissed_at: float | None = None
    called_at: float | None = None


class Custom(msgspec.Struct, frozen=True, kw_only=True):
    """How the firings of one rule, wherever they were, ended lately; under the name "" those of every paging severity.

    ``alone_s`` are the durations in seconds of the latest that nothing else joined (newest last); ``alone`` and
    ``joined`` count those that nothing joined, and those that were part of an incident with others;
    ``occasions`` counts when the latter were, however many ended together, the last as of ``occasion_at``;
    ``above`` and ``below`` count firings whose value lay above or below its threshold; ``heeded`` and ``ignored``
    count pages that somebody acted on, or nobody until they ended (under "" only). ``at`` is the latest of all.
    """

    alone_s: tuple[float, ...] = ()
    alone: int = 0
    joined: int = 0
    occasions: int = 0
    occasion_at: float = 0.0
    above: int = 0
    below: int = 0
    heeded: int = 0
    ignored: int = 0
    at: float = 0.0


class Hearing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How long nothing was heard of firings of one rule that nothing but news ends, while they fired.

    ``spells`` are the latest of such times in seconds (newest last, bounded), of firings that had been told of once,
    twice and so on; below 0 those that the end of the firing ended, and not a reminder. ``at``: the latest reminder.
    """

    spells: tuple[tuple[float, ...], ...] = ()
    at: float = 0.0


class Passing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The latest firings of one rule that nothing else joined, all of which went away by themselves.

    How long each lasted in seconds (newest last, bounded), and how many came within a day as of ``at``, the older the
    less each.
    """

    past_s: tuple[float, ...] = ()
    rate: float = 0.0
    at: float = 0.0


class Unit(msgspec.Struct, kw_only=True, gc=False):
    """Alerts of one symptom family at one entity that began close together; what correlation assigns to a cause.

    ``alerts`` are (fingerprint, episode) in order of arrival; ``onset`` the earliest, ``last`` the latest event time,
    ``first`` the event time of the alert that made the unit, which decides what it is tied to. ``weight`` is what
    explaining it earns, in nats, as it was when the last alert joined; ``ends`` when its firings that are over ended.
    At an entity of which no dependency is known ``tokens`` are what that alert carried, ``kin`` the units like it that
    were there before; ``near`` are units of its namespace that began with it, and what a leg to each costs in nats.
    ``itself``: it failed, and something said that it is broken itself and not merely failed by what it asks.
    ``plain``: it came when so much was live already that no way to another unit leads through it.
    """

    id: int
    entity: str
    family: int
    first: float
    onset: float
    last: float
    group: int
    alerts: list[tuple[str, int]] = []
    weight: float = 0.0
    plain: bool = False
    tokens: dict[int, int] = {}
    kin: list[tuple[int, float]] = []
    near: list[tuple[int, float]] = []
    ends: dict[str, float] = {}
    itself: bool = False


class Root(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A cause of a solution: its entity and family, and when it began (None: in a snapshot of before that was kept)."""

    entity: str
    family: int
    began: float | None = None


class Ruling(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A person's word that an alert belongs to ``incident``: ``apart`` from what explains it, or along with that."""

    incident: str
    apart: bool = False


class Group(msgspec.Struct, kw_only=True, gc=False):
    """Units that could share a cause: the piece of the problem that is solved at once.

    ``news_at`` is when a unit or alert last joined; ``solve_at`` is None when nothing changed since the last solution,
    ``review_at`` when nothing ended since.
    ``fresh`` are the units that changed since then, ``solution`` its causes as (entity, family). ``parting`` says since
    when what people are shown as part of an incident would be one of its own, by the place of its first firing;
    ``newcomers`` the same of each firing of what begins beside trouble that still spreads, and is not shown yet.
    """

    id: int
    units: list[int]
    news_at: float
    close_at: float
    solve_at: float | None = None
    review_at: float | None = None
    fresh: list[int] = []
    solution: list[Root] = []
    parting: dict[str, float] = {}
    newcomers: dict[str, float] = {}
    sift_at: float = 0.0
    full: bool = False


class Series(msgspec.Struct, frozen=True, array_like=True):
    """Points of one metric in order of time: ``times`` (seconds) and ``values`` as 64-bit little-endian floats.

    NaN is where nothing was told. ``grid``: of the points within so many seconds only the last is kept (0: all are).
    """

    times: bytes = b""
    values: bytes = b""
    grid: int = 0


class Pattern(msgspec.Struct, array_like=True):
    """How often a log statement was seen, as (minute, count) in order of time. ``failing``: it tells of errors."""

    failing: bool = False
    seen: list[tuple[float, int]] = []


class Calls(msgspec.Struct, frozen=True, array_like=True):
    """Calls of one minute; None where nobody told. See `quell.model.records.CallRecord`."""

    minute: float
    count: int = 0
    errors: int = 0
    mean_s: float | None = None
    net_s: float | None = None


class Delivered(msgspec.Struct, array_like=True):
    """When a delivery first came, and which of its parts were taken: a bit for each, the lowest first."""

    at: float
    parts: bytes = b""


class Signals(msgspec.Struct, kw_only=True):
    """Telemetry of one entity, bounded.

    ``series`` by metric, ``patterns`` by log statement, ``calls`` of it by ``caller NUL operation``, the newest last.
    ``told_at`` is when anything was told last.
    """

    told_at: float = 0.0
    series: dict[str, Series] = msgspec.field(default_factory=dict)
    patterns: dict[str, Pattern] = msgspec.field(default_factory=dict)
    calls: dict[str, list[Calls]] = msgspec.field(default_factory=dict, name="counted")
    """In snapshots under another name: those of before have a list under this one."""


class Total(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """A running total as it was told last; of a histogram also its sum and buckets."""

    at: float
    value: float
    sum: float | None = None
    bounds: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """A page under way: its latest intent, how often it was tried, when it is tried again (None: answer awaited).

    One that was not tried yet (``attempt`` 0) waits for those of its lane that have a lower ``number``.
    ``since`` is when the answer was begun to be awaited, ``not_before`` what the other side asked for.
    ``unsure``: an attempt was made of which nobody knows whether it arrived; ``doubts`` counts those that say so.
    """

    deed: Perform
    attempt: int = 1
    due_at: float | None = None
    unsure: bool = False
    number: int = 0
    since: float = 0.0
    not_before: float = 0.0
    doubts: int = 0


class Followed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an incident stands where a route called people, and what is known of that here.

    ``said`` is how it stands there as far as is known ("": nobody was called), told at ``heard_at`` by its own clock;
    ``there`` is its id there. ``status`` is how it stands here (open, acknowledged, resolved) since ``changed_at``.
    ``firm``: it is open although somebody took it before, for what they took was less. ``keys`` are deeds under way,
    ``sent`` counts them; ``crossed``: a word that does not hold here passed them on the way, and nobody knows which of
    both was first there.
    """

    incident: str
    source: str
    route: str = ""
    said: str = ""
    heard_at: float = 0.0
    there: str = ""
    status: str = "open"
    changed_at: float = 0.0
    crossed: bool = False
    firm: bool = False
    keys: tuple[str, ...] = ()
    sent: int = 0


class State(msgspec.Struct, kw_only=True):
    """``now`` is how far time has advanced. Dictionaries are keyed by id, fingerprint or entity name."""

    now: float = 0.0
    alerts: dict[str, Alert] = msgspec.field(default_factory=dict)
    behaviour: dict[str, Triaged] = msgspec.field(default_factory=dict)
    customs: dict[str, Custom] = msgspec.field(default_factory=dict)
    """By name of the rule that fired."""
    hearings: dict[str, Hearing] = msgspec.field(default_factory=dict)
    """By rule, sender and site (`quell.core.hearings.speaker`), of rules of a paging severity."""
    passings: dict[str, Passing] = msgspec.field(default_factory=dict)
    """By name of the rule, of those of a paging severity."""
    taken: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    """By id of each open incident that somebody acknowledged: what fired in it, as rule and entity (``rule\\0entity``),
    with the rank of its worst severity."""
    silences: dict[str, Silence] = msgspec.field(default_factory=dict)
    incidents: dict[str, Incident] = msgspec.field(default_factory=dict)
    changes: dict[str, Change] = msgspec.field(default_factory=dict)
    foreign: dict[str, IncidentRecord] = msgspec.field(default_factory=dict)
    entities: dict[str, Entity] = msgspec.field(default_factory=dict)
    declared: dict[str, Entity] = msgspec.field(default_factory=dict)
    """Entities that the rules describe; what records told of one stands in ``entities`` and counts instead."""
    dependencies: dict[str, Dependency] = msgspec.field(default_factory=dict)
    gathered: dict[str, Gathered] = msgspec.field(default_factory=dict)
    """Those of ``entities`` that were learned and never told as configuration."""
    units: dict[int, Unit] = msgspec.field(default_factory=dict)
    groups: dict[int, Group] = msgspec.field(default_factory=dict)
    last_unit: int = 0
    strangers: list[str] = msgspec.field(default_factory=list)
    """Entities that alerts speak of and the dependency graph does not know, in order of first mention."""
    placed: dict[str, str] = msgspec.field(default_factory=dict)
    """Of live groups: ``fingerprint/episode`` (of a first firing the fingerprint alone) to incident id."""
    rulings: dict[str, Ruling] = msgspec.field(default_factory=dict)
    """By fingerprint; they stand while their incident is open."""
    signals: dict[str, Signals] = msgspec.field(default_factory=dict)
    """By entity; what was told of last comes last."""
    telemetry_bytes: int = 0
    """What all signals take, about."""
    news: dict[str, float] = msgspec.field(default_factory=dict)
    """Entities of which telemetry was told since suspects were last ranked, and when first."""
    runs: dict[str, Run] = msgspec.field(default_factory=dict)
    begun: dict[str, Playbook] = msgspec.field(default_factory=dict)
    """By run id, for runs that are not over: the playbook as it was when the run began. A reload does not change it."""
    settling: dict[str, Settling] = msgspec.field(default_factory=dict)
    """Keyed ``incident/playbook``, or ``alert:fingerprint/playbook``."""
    scheduled: dict[str, Scheduled] = msgspec.field(default_factory=dict)
    """By playbook."""
    tried: dict[str, Tried] = msgspec.field(default_factory=dict)
    """By playbook, of those that came in a commit."""
    changed_at: list[float] = msgspec.field(default_factory=list)
    """When acts of effect "change" were begun within the last hour, in order."""
    runs_swept_at: float = 0.0
    """When runs that nobody needs any more were last looked for."""
    telling: dict[str, Telling] = msgspec.field(default_factory=dict)
    """Pages that are not known to have arrived, by ledger key."""
    followed: dict[str, tuple[Followed, ...]] = msgspec.field(default_factory=dict)
    """By incident id: how it stands where routes called people."""
    climbs: dict[str, Climb] = msgspec.field(default_factory=dict)
    """By ``incident/chain``: pages that go along a chain; kept for as long as their incident is."""
    early: dict[str, float] = msgspec.field(default_factory=dict)
    """Incidents that went to quiet routes only, and since when."""
    clocks: dict[str, Off] = msgspec.field(default_factory=dict)
    """By source, of those that told times lately that nobody believes."""
    spans: dict[str, tuple[str, float, str]] = msgspec.field(default_factory=dict)
    """Of the last minute, by ``trace/span``: entity, when it arrived, the key of its parent."""
    orphans: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """Entities whose parent span (``trace/span``) has not arrived yet."""
    provenance: dict[str, Provenance] = msgspec.field(default_factory=dict)
    """By entity, of what has versions or columns; bounded in number, the one told of longest ago first."""
    running: dict[str, dict[str, float]] = msgspec.field(default_factory=dict)
    """By entity, when telemetry told last of each of its versions; the one heard of longest ago first."""
    totals: dict[str, Total] = msgspec.field(default_factory=dict)
    """By ``entity NUL instance NUL series``; bounded in number, the one told of longest ago first."""
    seen_ids: dict[str, float] = msgspec.field(default_factory=dict)
    delivered: dict[str, Delivered] = msgspec.field(default_factory=dict)
    """By source and digest, of deliveries whose records have no ids of their own; the oldest first, bounded."""
    hearsay: dict[int, dict[str, list[CallRecord]]] = msgspec.field(default_factory=dict)
    """By minute and entity: calls that only callers told of, until it is known whether the callee tells of them."""
    own_calls: dict[str, dict[int, int]] = msgspec.field(default_factory=dict)
    """By entity and minute: how many calls an entity told of itself lately, less those that its callers told of as well
    once that is decided over (then it may be less than 0); the entity heard of longest ago first."""
    calm_at: dict[str, float] = msgspec.field(default_factory=dict)
    """When to ask of each open incident whether it is over."""
    rules: str | None = None
    """The version of the rulebook under which all alerts were judged; None: they are to be judged again."""
    paused_by: str = ""
    habits: Habits = msgspec.field(default_factory=Habits)
    """What was noticed over weeks; only suggestions are made of it."""
    rarity: Rarity = msgspec.field(default_factory=Rarity)
    detecting: Detecting = msgspec.field(default_factory=Detecting)
