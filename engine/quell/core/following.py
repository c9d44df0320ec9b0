"""Pages that follow their incident: what people are called for elsewhere stands there as the incident stands here.

Two systems are changed by people at one time, and their words pass each other on the way. So quell keeps how each
incident stands there as far as it knows, and says what differs, one deed at a time, until nothing does. A word from
there changes the incident here, unless it is older than what a person did here and that will be heard there. Words come
twice and in any order: one that is older than another from there says nothing any more.
"""

from __future__ import annotations

from msgspec.structs import replace

from quell.core.called import Matter
from quell.core.lanes import Lanes
from quell.core.routes import Routes
from quell.model.decision import Perform
from quell.model.incident import Incident
from quell.model.state import Followed, State, Telling

FOLLOW = "follow/"
"""So begin the ledger keys of deeds that say how an incident stands."""
NOTE = "note"
OPEN_OR_OVER = "open or resolved"
ANY = "open, acknowledged or resolved"
"""How it stands there after a deed of which nobody knows whether it arrived; a call for people is right for both."""


def standing(incident: Incident) -> str:
    """Open, acknowledged or resolved: what is merged or withdrawn is over, too."""
    return incident.status if incident.is_open else "resolved"


def is_page(deed: Perform) -> bool:
    """Whether a deed tells people of an incident, and does not say how it stands."""
    return not deed.key.startswith(FOLLOW)


def heir_of(state: State, gone: Incident) -> Incident | None:
    """The open incident that stands under the page of one that is over, while nobody has taken either.

    That is what absorbed it, or, of one that ended by itself, where something of it stands that people were told of.
    """
    if gone.paged_at is None or gone.acknowledged_by:
        return None
    heir = _absorbing(state, gone) if gone.merged_into is not None else _under_its_page(state, gone)
    told = None if heir is None else (heir.paged_at, heir.page_record)
    mine = heir is not None and heir.is_open and told == (gone.paged_at, gone.page_record)
    return heir if mine and heir is not None and not heir.acknowledged_by else None


def _absorbing(state: State, gone: Incident) -> Incident | None:
    """What a merged incident is part of, through others; None when nothing is known of that."""
    heir, passed = gone, {gone.id}
    while heir.merged_into is not None and heir.merged_into not in passed and heir.merged_into in state.incidents:
        passed.add(heir.merged_into)
        heir = state.incidents[heir.merged_into]
    return heir if heir is not gone else None


def _under_its_page(state: State, gone: Incident) -> Incident | None:
    """The first open incident that took over the page of one that is over."""
    told = (gone.paged_at, gone.page_alert, gone.page_record)
    found = [
        one
        for one in state.incidents.values()
        if one.is_open and one.id != gone.id and (one.paged_at, one.page_alert, one.page_record) == told
    ]
    return min(found, key=lambda one: (one.opened_at, one.id), default=None) if not gone.is_open else None


def as_key(heir: Incident, gone: Incident, called: str) -> str:
    """The ledger key of a page for an incident that absorbed another of which people were told, or nearly."""
    return f"page/{heir.id}/as-{gone.id}-{gone.version}/{called}"


class Following:
    """All that it remembers is in ``state.followed``; deeds that it makes are told again as pages are."""

    def __init__(self, state: State, routes: Routes, lanes: Lanes) -> None:
        self._state = state
        self._lanes = lanes
        self._routes = routes

    def paged(self, deed: Perform) -> None:
        """Remembers that people are being called by a route that follows its incident."""
        incident = self._state.incidents.get(deed.incident)
        if incident is None or deed.dry_run:
            return
        name = deed.lane.removeprefix(f"{incident.id}/")
        called = self._routes.following(name)
        if called is None:
            return
        source = called.route.source
        known = next((one for one in self._of(incident.id) if (one.source, one.route) == (source, name)), None)
        if known is None:
            self._make_room()
            known = Followed(
                incident=incident.id, source=source, route=name, status=standing(incident), changed_at=deed.at
            )
        self._keep(replace(known, keys=(*self._under_way(known), deed.key)))

    def changed(self, incident: Incident, at: float) -> list[Perform]:
        """What is to be said there after news of an incident, if anything."""
        deeds: list[Perform] = []
        now = standing(incident)
        for known in self._of(incident.id):
            if known.status != now:
                again = known.status == "acknowledged" and now == "open"
                known = replace(known, status=now, changed_at=at, firm=again)  # noqa: PLW2901
                self._keep(known)
            deeds += self._say(known, incident, at)
            if incident.status in {"merged", "resolved"}:
                deeds += self._handed_on(known, incident, at)
        return deeds

    def _handed_on(self, known: Followed, gone: Incident, at: float) -> list[Perform]:
        """Calls people for what stands under the page of one that is over: there it would seem that all is over."""
        heir, called = heir_of(self._state, gone), self._routes.following(known.route)
        if heir is None or called is None or not (known.said or self._under_way(known)):
            return []
        if any((one.source, one.route) == (known.source, known.route) for one in self._of(heir.id)):
            return []
        if not any(self._routes.at_its_turn(called, name, at) for name in (gone.id, heir.id)):  # its chain moves, too
            return []
        part = "is part of it" if gone.merged_into is not None else "is over"
        about = Matter(heir, None, at, f"{heir.title} ({gone.id} {part})")
        deeds = self._routes.call(called, about, as_key(heir, gone, known.route))
        for deed in deeds:
            self._lanes.put(Telling(deed=deed, since=at))
            self.paged(deed)
        return deeds

    def heard(self, incident: Incident, source: str, there: str, status: str, at: float, *, echo: bool) -> bool:
        """Notes how an incident stands there; whether it comes to stand so here, too.

        ``at`` is when it came to that there. An ``echo`` is of our own deed and changes nothing here; it tells
        which of that deed and of what people did there came last, so that what was lost of ours is said again.
        """
        all_known = [known for known in self._of(incident.id) if known.source == source]
        if not all_known and echo:
            return False
        if not all_known:
            self._make_room()
            all_known = [Followed(incident=incident.id, source=source, status=standing(incident))]
        if any(at < known.heard_at for known in all_known):
            return False
        now = standing(incident)
        newest = max(all_known, key=lambda known: known.changed_at)
        changeable = now != status and incident.status not in {"merged", "withdrawn"} and not echo
        taken = changeable and not (at < newest.changed_at and _stays(now, status, firm=newest.firm))
        alone = len(all_known) == 1  # else nobody knows which of them it is about, and all are told anew
        for known in all_known:
            heard = replace(known, heard_at=at, there=there or known.there)
            if alone:
                crossed = not taken and not echo and now != status and bool(self._under_way(known))
                heard = replace(heard, said=status, crossed=crossed or (echo and known.crossed))
            self._keep(replace(heard, status=status, changed_at=at, firm=False) if taken else heard)
        return taken

    def named(self, source: str, there: str) -> str:
        """The incident that is called so there; "" when none is known to be."""
        every = (known for several in self._state.followed.values() for known in several)
        found = (known.incident for known in every if known.source == source and known.there == there)
        return next(found, "") if there else ""

    def wanted(self, deed: Perform) -> bool:
        """Whether a deed of ours that did not arrive is still to be said."""
        known = next((one for one in self._of(deed.incident) if deed.key in one.keys), None)
        incident = self._state.incidents.get(deed.incident)
        return known is not None and incident is not None and self._action(known) == (deed.action, True)

    def again(self, key: str, deed: Perform) -> None:
        """A deed that did not arrive is tried once more, under a key of its own."""
        for known in self._of(deed.incident):
            if key in known.keys:
                self._keep(replace(known, keys=tuple(deed.key if one == key else one for one in known.keys)))

    def settled(self, deed: Perform, at: float, *, arrived: bool, unsure: bool = False) -> list[Perform]:
        """What is to be said after a deed was answered or given up; ``unsure``: nobody knows whether it arrived."""
        known = next((one for one in self._of(deed.incident) if deed.key in one.keys), None)
        if known is None:
            return []
        known = replace(known, keys=tuple(key for key in known.keys if key != deed.key))
        called = self._routes.following(known.route)
        if known.crossed:
            known = replace(known, crossed=False)
        elif called is not None and (arrived or unsure):
            says = {called.route.taken: "acknowledged", called.route.over: "resolved"}.get(deed.action, "open")
            known = replace(known, said=_after(known, says, arrived=arrived))
        self._keep(known)
        incident = self._state.incidents.get(deed.incident)
        return [] if incident is None else self._say(known, incident, at)

    def say(self, incident: Incident, at: float) -> list[Perform]:
        """What is to be said there now."""
        return [deed for known in self._of(incident.id) for deed in self._say(known, incident, at)]

    def _say(self, known: Followed, incident: Incident, at: float) -> list[Perform]:
        called = self._routes.following(known.route)
        action, differs = self._action(known)
        if called is None or not differs or self._under_way(known):
            return []
        key = f"{FOLLOW}{incident.id}/{known.sent + 1}/{known.route}"
        if action == called.route.action:
            text = f"{incident.title} is open again"
            deeds = self._routes.call(called, Matter(incident, None, at, text), key)
        else:
            deeds = [self._routes.told(called, incident, at, action, key)]
        for deed in deeds:
            self._lanes.put(Telling(deed=deed, since=at))
        self._keep(replace(known, sent=known.sent + 1, keys=(key,)))
        return deeds

    def _action(self, known: Followed) -> tuple[str, bool]:
        """The action that would bring it there to where it is here, and whether that is needed and possible."""
        called = self._routes.following(known.route)
        if called is None or not known.said or known.said == known.status:
            return "", False
        route = called.route
        if known.status == "resolved":
            return route.over, True
        if known.said == ANY and known.status == "open":
            return route.over, not known.firm
        if known.said in {"resolved", OPEN_OR_OVER, ANY}:  # whom a chain has passed by is not called again
            return route.action, self._routes.at_its_turn(called, known.incident, self._state.now)
        if known.status == "open":  # nothing takes an acknowledgement back, but to end it and call anew
            return route.over, not known.firm
        return route.taken, True

    def _under_way(self, known: Followed) -> tuple[str, ...]:
        return tuple(key for key in known.keys if key in self._state.telling)

    def _of(self, incident: str) -> tuple[Followed, ...]:
        return self._state.followed.get(incident, ())

    def _keep(self, known: Followed) -> None:
        place = (known.source, known.route)
        others = [one for one in self._of(known.incident) if (one.source, one.route) != place]
        self._state.followed[known.incident] = tuple(sorted([*others, known], key=lambda one: (one.source, one.route)))

    def _make_room(self) -> None:
        """Forgets what is known of incidents that are forgotten."""
        for name in [name for name in self._state.followed if name not in self._state.incidents]:
            del self._state.followed[name]


def _after(known: Followed, says: str, *, arrived: bool) -> str:
    """How it stands there after a deed that arrived, or of which nobody knows whether it did."""
    if says == "acknowledged":  # what is over is not taken by that
        return says if known.said == "open" else known.said
    if says == "open" and known.said == "acknowledged":  # a page does not take back what somebody took
        return known.said
    if arrived and says == "open" and known.said == ANY:
        return "acknowledged" if known.status == "open" else "open"
    if arrived or known.said == says:
        return says
    return ANY if known.said in {"acknowledged", ANY} else OPEN_OR_OVER


def _stays(now: str, status: str, *, firm: bool) -> bool:
    """Whether what was done here later than a word from there holds there as well, once it is heard.

    To resolve holds always, to acknowledge what is open there, and to open again what is over there. Somebody who took
    something less than it has become since has not taken that.
    """
    if now == "resolved":
        return True
    if now == "acknowledged":
        return status == "open"
    return status == "resolved" or firm
