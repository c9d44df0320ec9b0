"""What detectors remember between two looks: windows of telemetry, bounded by what rules declare."""

from __future__ import annotations

import msgspec

# Nothing here refers to what it is part of, so the garbage collector need not look at it (gc=False): at tens of
# thousands of series looking took longer than judging them.


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a condition says of one window: whether it is ``bad``, in a sentence, with the numbers behind it.

    ``details`` become annotations of the alert, ``labels`` its labels; ``severity`` "" is that of the rule.
    """

    bad: bool
    text: str = ""
    value: float | None = None
    threshold: float | None = None
    details: dict[str, str] = {}
    severity: str = ""
    labels: dict[str, str] = {}


class Pending(msgspec.Struct, array_like=True, gc=False):
    """Points that were told since the last look, as they came: values of None and NaN are still among them.

    ``weights`` are as many as ``values``, or none: then every point counts once.
    """

    times: list[float] = []
    values: list[float | None] = []
    weights: list[float] = []


class Bucket(msgspec.Struct, array_like=True, gc=False):
    """The points of one window, added up. ``rise`` is by how much a counter grew from point to point within it.

    ``bins`` are (index, weight) of an exponential histogram, for percentiles only; see `quell.core.detect.buckets`.
    """

    count: float = 0.0
    total: float = 0.0
    low: float = 0.0
    high: float = 0.0
    first_at: float = 0.0
    first: float = 0.0
    last_at: float = 0.0
    last: float = 0.0
    rise: float = 0.0
    bins: dict[int, float] = {}


class Windows(msgspec.Struct, tag="windows", tag_field="memory", gc=False):
    """Windows of a series by their number on the grid, and of the series that it is divided by.

    ``unheard`` are the first and last of windows in which nobody listened, so that they may have counted more.
    """

    own: dict[int, Bucket] = msgspec.field(default_factory=dict)
    by: dict[int, Bucket] = msgspec.field(default_factory=dict)
    unheard: list[tuple[int, int]] = []


class Silence(msgspec.Struct, tag="silence", tag_field="memory", gc=False):
    """Since when something was to be heard, and the latest that was; ``resumed`` is when quell itself heard again."""

    since: float = 0.0
    resumed: float = 0.0
    last_at: float = 0.0
    last: float = 0.0


class Profile(msgspec.Struct, tag="profile", tag_field="memory", gc=False):
    """What is usual: by hour of the day (24 more for weekends) the latest values, as 32-bit little-endian floats.

    ``apart`` are the latest differences from what was usual, by which a change of level is told. ``first_at`` is when
    the first window was seen, ``kept_at`` the quarter of an hour in which a value was kept last.
    """

    own: dict[int, Bucket] = msgspec.field(default_factory=dict)
    cells: dict[int, bytes] = msgspec.field(default_factory=dict)
    apart: bytes = b""
    first_at: float = 0.0
    kept_at: int = 0


class Made(msgspec.Struct, array_like=True, gc=False):
    """A log statement: since when it is new, when it was made last, and how often since it is new."""

    new_at: float
    last_at: float
    count: float = 0.0


class Statements(msgspec.Struct, tag="statements", tag_field="memory", gc=False):
    """The log statements of an entity, and when the first of all was made."""

    made: dict[str, Made] = msgspec.field(default_factory=dict)
    first_at: float = 0.0


class Batch(msgspec.Struct, array_like=True, gc=False):
    """What was told of one window of an entity: by field its `quell.model.distribution.Distribution`, packed.

    ``version`` is the one told last (at ``version_at``), ``skew_s`` how far ahead of arrival the furthest record lay.
    """

    fields: dict[str, bytes] = {}
    samples: dict[str, list[str]] = {}
    version: str = ""
    version_at: float = 0.0
    skew_s: float = 0.0


class Batches(msgspec.Struct, tag="batches", tag_field="memory", gc=False):
    """Distributions of the fields of an entity by window; ``newest`` is until when anything was told."""

    own: dict[int, Batch] = msgspec.field(default_factory=dict)
    newest: float = 0.0


class Stand(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How a service level stood at ``at``: what was bad of how much over its period, and what may be, in all of it.

    ``burns`` has for each rate of the rule how fast its two spans burn, as multiples (None: too little is known).
    """

    at: float
    bad: float
    total: float
    allowed: float
    burns: tuple[tuple[float | None, float | None], ...] = ()

    @property
    def left(self) -> float:
        """The share of the budget that is left; less than nothing where more was spent."""
        return 1.0 - self.bad / self.allowed if self.allowed > 0.0 else 1.0


class Budget(msgspec.Struct, tag="budget", tag_field="memory", gc=False):
    """What was bad, and of how much, over the period of a service level.

    ``own``, ``by`` and ``parts`` (of values by segment) are the windows that points may still come for; those before
    the window ``rolled`` are in ``tiers``, each of longer windows than the one before: (bad, total) by number. Theirs
    are of ``steps`` windows of the rule each (0: as the rule has it).
    ``first`` is the first window of all, ``told`` of how many that are summed up anything was told. ``resumed`` is the
    latest time as of which it is heard, where quell was down: so much later as it was down for. ``heard_at`` is the end
    of the latest window of which it is known how much there was; after ``doubted_at`` nobody knows how it is by now.
    """

    own: dict[int, Bucket] = msgspec.field(default_factory=dict)
    by: dict[int, Bucket] = msgspec.field(default_factory=dict)
    parts: dict[int, dict[str, tuple[float, float]]] = msgspec.field(default_factory=dict)
    tiers: tuple[dict[int, tuple[float, float]], ...] = msgspec.field(default_factory=lambda: ({}, {}, {}))
    steps: tuple[int, int, int] = (0, 0, 0)
    rolled: int | None = None
    first: int | None = None
    told: int = 0
    resumed: float = 0.0
    heard_at: float = 0.0
    doubted_at: float = 0.0
    stand: Stand | None = None


Memory = Windows | Silence | Profile | Statements | Batches | Budget
"""What any condition remembers of a series."""


class Watch(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One series as one rule sees it. ``pending`` has what it reads, then what that is divided by.

    ``told_at`` is when a point of it arrived last, ``judged_at`` when something could be said of it, ``newest`` the
    latest event time; ``unread`` counts values that are no numbers, ``late`` points that came after their window was
    forgotten. ``slots`` says of the latest windows whether they were bad, ``touched`` are those that more was told of
    since. ``since`` is when its alert began (None: none fires), ``shown_at`` when that was last told, ``ended`` when
    one last ended. ``shown_as`` is the severity with which it was told, where the finding has one of its own.
    """

    entity: str
    metric: str
    memory: Memory
    pending: tuple[Pending, Pending]
    told_at: float = 0.0
    judged_at: float = 0.0
    newest: float = 0.0
    unread: int = 0
    late: int = 0
    slots: dict[int, bool] = msgspec.field(default_factory=dict)
    touched: list[int] = []
    since: float | None = None
    shown_at: float = 0.0
    ended: float | None = None
    shown_as: str = ""
    finding: Finding | None = None


class Crowd(msgspec.Struct, array_like=True, gc=False):
    """A rule is told of more series than it may watch: since when, when last, how many it dropped to watch others.

    ``shown_at`` is when that was last told.
    """

    since: float
    last_at: float
    dropped: int = 0
    shown_at: float = 0.0


class Unfit(msgspec.Struct, array_like=True, gc=False):
    """What a rule was told since ``begin``, and how much of that it could not use: no numbers, or too late.

    ``broken``: so often it broke on it. ``since`` is when that began of which is told (0: nothing is), ``last_at`` when
    it was so last, ``shown_at`` when it was last told; ``late_looks`` in how many looks something was late.
    """

    begin: float
    told: int = 0
    unread: int = 0
    late: int = 0
    broken: int = 0
    since: float = 0.0
    last_at: float = 0.0
    shown_at: float = 0.0
    late_looks: int = 0


class Elder(msgspec.Struct, array_like=True, gc=False):
    """The data of an entity has another ``version`` than the profile that it is compared with.

    ``since`` when, ``shown_at`` when that was last told, ``until`` when it is over without news.
    """

    version: str
    since: float
    shown_at: float = 0.0
    until: float = 0.0


class Detecting(msgspec.Struct, kw_only=True):
    """What all detectors remember. ``rules`` has by name a digest of each rule as it was when it last looked.

    ``watches`` are by rule and series (``entity NUL metric``); ``refused`` has rules that had no room for more (1), or
    were told names that are too long (2); ``crowded`` are those of which that is told;
    ``began`` is when a rule was first known, ``read_at`` when something sound was last read by it; ``blind`` has the
    rules that say that they read nothing, and since when; ``failed`` those that broke on a series, and how; ``unfit``
    those that were told what they could not use; ``elders`` are profiles (``entity@version``) of another version.
    """

    rules: dict[str, str] = msgspec.field(default_factory=dict)
    watches: dict[str, dict[str, Watch]] = msgspec.field(default_factory=dict)
    refused: dict[str, int] = msgspec.field(default_factory=dict)
    crowded: dict[str, Crowd] = msgspec.field(default_factory=dict)
    began: dict[str, float] = msgspec.field(default_factory=dict)
    read_at: dict[str, float] = msgspec.field(default_factory=dict)
    blind: dict[str, float] = msgspec.field(default_factory=dict)
    failed: dict[str, str] = msgspec.field(default_factory=dict)
    unfit: dict[str, Unfit] = msgspec.field(default_factory=dict)
    elders: dict[str, Elder] = msgspec.field(default_factory=dict)

    counted: dict[str, list[int]] = msgspec.field(default_factory=dict)
    """What each rule was told since its last look: how many values, no numbers, late ones; how often it broke."""

    def told(self, rule: str, count: int, *, unread: int = 0, late: int = 0, broken: int = 0) -> None:
        """A rule was told so many values, of which it could not use some."""
        counts = self.counted.get(rule)
        if counts is None:
            self.counted[rule] = [count, unread, late, broken]
        else:
            for at, one in enumerate((count, unread, late, broken)):
                counts[at] += one
