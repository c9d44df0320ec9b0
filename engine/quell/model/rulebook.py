"""Everything a team decides in text, loaded and checked: what the core is told besides records and time."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from quell.model.detect import DetectRule
from quell.model.drill import Drill
from quell.model.mute import Matcher
from quell.model.oncall import Chain, Rota
from quell.model.playbook import Effect, Place, Playbook
from quell.model.profile import Profile
from quell.model.provenance import DeclaredVersion
from quell.model.topology import Dependency, Entity, Forgetting
from quell.model.weights import Weights

NOWHERE = Place(file="<default>", line=0)
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class MapRule(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts (or changes) that match speak of ``entity``, a template over ``labels`` such as ``queue/${labels.topic}``.

    The first rule that matches and whose labels are all present wins. ``set_labels`` adds or replaces labels first.
    """

    name: str
    matchers: tuple[Matcher, ...] = ()
    entity: str = ""
    set_labels: dict[str, str] = {}
    place: Place = NOWHERE


class MuteRule(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts that match are muted for as long as the rule stands in the file."""

    name: str
    matchers: tuple[Matcher, ...]
    reason: str
    place: Place = NOWHERE


class InhibitRule(msgspec.Struct, frozen=True, kw_only=True):
    """While an alert matching ``source`` fires, alerts matching ``target`` with equal ``equal`` labels are muted."""

    name: str
    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()
    place: Place = NOWHERE


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A maintenance window: once (``starts_at``, ``ends_at``), or recurring in ``zone`` (an IANA name).

    Recurring: on the ``weekdays`` (empty: every day), starting at ``minute`` of the day, for ``duration_s``, which
    may run past midnight.
    """

    name: str
    matchers: tuple[Matcher, ...]
    starts_at: float | None = None
    ends_at: float | None = None
    weekdays: tuple[Weekday, ...] = ()
    minute: int | None = None
    duration_s: float = 0.0
    zone: str = "UTC"
    reason: str = ""
    place: Place = NOWHERE


class Freeze(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which playbooks do not change anything: that of ``window``, whose matchers do not count here.

    It holds the ``playbooks`` named (None: all of them, but those in ``except_``) that have a step of one of the
    ``effects``; a playbook that names the freeze in its guards is held whatever this says.
    """

    name: str
    window: Window
    playbooks: tuple[str, ...] | None = None
    except_: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ("change",)
    reason: str = ""
    place: Place = NOWHERE


class Caps(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for all playbooks together.

    ``changes_per_hour`` acts of effect "change" are begun within any hour (0: none at all); the first
    ``first_runs_propose`` runs of each playbook at a new commit wait for a person where the file says "enforce".
    """

    changes_per_hour: int = 20
    first_runs_propose: int = 0


class TriageRule(msgspec.Struct, frozen=True, kw_only=True):
    """A team's own word on alerts that match, before quell judges by behaviour. ``hold_s`` is for ``hold`` only."""

    name: str
    matchers: tuple[Matcher, ...]
    verdict: Literal["page", "hold", "digest"]
    hold_s: float = 0.0
    reason: str = ""
    place: Place = NOWHERE


QUIET_PLACES = (
    "ci", "dev", "devel", "development", "e2e", "integration", "loadtest", "nightly", "perf", "preprod", "preview",
    "qa", "sandbox", "stage", "staging", "stg", "test", "testing", "uat",
)  # fmt: skip


class Triage(msgspec.Struct, frozen=True, kw_only=True):
    """How alerts are judged by behaviour. ``rules`` come first, in order.

    ``flap_count`` quick returns within ``flap_within_s`` make a flapper; an alert back within ``flap_gap_s`` of its
    resolution is a return. ``lone_page_after_s``: an alert of a ``page_severities`` severity that still fires and
    joined no incident pages on its own after this long; what is learned of it, or doubts about it, put that off to
    ``lone_page_most_s`` after its beginning at most (``learn`` false: nothing learned counts). ``remind_after_s``: a
    page that nobody acknowledged is told again (0: never), ``remind_times`` at most, each time after twice as long.
    ``slow_burn_after_s``: what still fires so long after it paged, with nobody acting, goes to the digest.
    ``model_only`` is what becomes of incidents of models and data alone: a "page" as of any other, early routes where
    there are any (their "owners"), or the "digest" where no early route takes them.
    ``quiet_places`` are words in labels of place that speak of environments where nobody is woken. An incident is over
    when none of its alerts fired for ``calm_s``.
    """

    rules: tuple[TriageRule, ...] = ()
    flap_count: int = 4
    flap_within_s: float = 3600.0
    flap_gap_s: float = 900.0
    page_severities: tuple[str, ...] = ("critical", "page", "emergency", "fatal", "p1", "sev1", "high")
    digest_severities: tuple[str, ...] = ("info", "none", "debug", "notice")
    lone_page_after_s: float = 600.0
    lone_page_most_s: float = 3600.0
    learn: bool = True
    remind_after_s: float = 1800.0
    remind_times: int = 8
    slow_burn_after_s: float = 21_600.0
    quiet_places: tuple[str, ...] = QUIET_PLACES
    model_only: Literal["page", "owners", "digest"] = "owners"
    calm_s: float = 120.0


class EdgeKind(msgspec.Struct, frozen=True, kw_only=True):
    """How trouble travels over dependencies of one type: with what probability, after how many seconds."""

    p: float
    lag_s: float


class Correlate(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of correlation. ``edges`` adds to or overrides how trouble travels by ``weights``.

    ``least_alerts`` distinct alerts make an incident (where three do, so do two critical ones at both ends of a known
    way); ``solve_every_s`` is the grid of time on which groups are formed; ``quiet_s`` without news closes a group;
    under ``clear_cause_bar`` of confidence "no clear cause" is said.
    """

    edges: dict[str, EdgeKind] = {}
    least_alerts: int = 3
    solve_every_s: float = 10.0
    quiet_s: float = 1800.0
    clear_cause_bar: float = 0.5
    weights: Weights = Weights()


class Asks(msgspec.Struct, frozen=True, kw_only=True):
    """What must hold for an incident to be taken somewhere; what is empty or None asks for nothing.

    ``teams`` own the first cause, ``affects`` anything that it reaches; ``tiers`` are those of the most important
    entity; ``hours`` when it is open, or, ``outside``, when it is not. What is ``early`` takes what nobody must be
    woken for, and where one does, nothing else takes that.
    """

    matchers: tuple[Matcher, ...] = ()
    teams: tuple[str, ...] = ()
    affects: tuple[str, ...] = ()
    tiers: tuple[int, ...] = ()
    severities: tuple[str, ...] = ()
    hours: tuple[Window, ...] = ()
    outside: bool = False
    early: bool = False
    place: Place = NOWHERE


class Room(Asks, frozen=True, kw_only=True):
    """A channel of a chat source, where incidents are shown; without a source they are left to the lists."""

    source: str
    channel: str


class Route(Asks, frozen=True, kw_only=True):
    """Where pages go: the ``action`` (``connector.verb``) is performed with ``params`` for incidents that match.

    With a ``source`` what was paged there follows the incident: ``taken`` and ``over`` are the actions that say so,
    given those of the parameters that are in ``shared``.

    With a ``chain`` that is gone along instead. An early route without an action leaves what it takes to the lists.
    """

    name: str
    action: str
    params: dict[str, Any] = {}
    source: str = ""
    taken: str = ""
    over: str = ""
    shared: tuple[str, ...] = ()
    chain: str = ""


class Rulebook(msgspec.Struct, frozen=True, kw_only=True):
    """All rules and playbooks of one version of the configuration. ``version`` is a hash of the files."""

    version: str = ""
    map: tuple[MapRule, ...] = ()
    mute: tuple[MuteRule, ...] = ()
    inhibit: tuple[InhibitRule, ...] = ()
    windows: tuple[Window, ...] = ()
    triage: Triage = Triage()
    correlate: Correlate = Correlate()
    forget: Forgetting = Forgetting()
    entities: tuple[Entity, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    versions: tuple[DeclaredVersion, ...] = ()
    routes: tuple[Route, ...] = ()
    chains: tuple[Chain, ...] = ()
    rotas: tuple[Rota, ...] = ()
    contacts: dict[str, dict[str, Any]] = {}
    """What is known of those whom chains and rotas name, as ``${oncall.…}``."""
    playbooks: tuple[Playbook, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    detect: tuple[DetectRule, ...] = ()
    drills: tuple[Drill, ...] = ()
    profiles: tuple[Profile, ...] = ()
    """What data was like when all was well, each entity's version once."""
    caps: Caps = Caps()
    resolve_timeout_s: float = 300.0
