"""Which pages are lost, new, later or earlier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from math import inf

from quell.backtest.compare import Twins
from quell.backtest.course import Firing, Told
from quell.backtest.difference import Limits, PageDifference
from quell.core.severity import rank

_ORDER = {"lost": 0, "not_yet": 1, "new": 2, "later": 3, "earlier": 4}


def page_differences(twins: Twins, limits: Limits) -> list[PageDifference]:
    """Lost pages first; within a kind by time.

    A page is kept if, under the new version, an incident pages that the alert it stood for is in, or the incident that
    its incident is matched with, unless that was so long before that it told of something else. One by which an
    incident became worse is kept if one as grave is told of it.
    """
    found = [*_of_old(twins, limits), *_of_new(twins, limits.earlier_s)]
    return sorted(found, key=_place)


def _place(page: PageDifference) -> tuple[int, float, str, str, bool]:
    first = min(inf if at is None else at for at in (page.was_at, page.now_at))
    return _ORDER[page.what], first, page.mark, page.was, page.rise


def _of_old(twins: Twins, limits: Limits) -> Iterator[PageDifference]:
    met: set[int] = set()
    for page in twins.was.pages:
        firing = twins.was.firings[page.firing]
        pages = _answering(twins, page, limits.earlier_s)
        if page.rise:
            if not any(rank(other.severity) >= rank(page.severity) for other in pages.values()):
                yield _lost(twins, page, firing, limits)
            continue
        if not pages:
            yield _lost(twins, page, firing, limits)
            continue
        number, other = _counterpart(page, pages, met)
        if number in met or other.at == page.at:
            continue
        met.add(number)
        yield PageDifference(
            what="later" if other.at > page.at else "earlier",
            alert=firing.name,
            mark=firing.mark,
            labels=firing.labels,
            severity=page.severity,
            was=page.incident,
            now=other.incident,
            was_at=page.at,
            now_at=other.at,
            why=other.why,
        )


def _counterpart(page: Told, pages: Mapping[int, Told], met: Set[int]) -> tuple[int, Told]:
    """The page nearest in time, of those not compared yet if any is left."""
    return min(pages.items(), key=lambda item: (item[0] in met, abs(item[1].at - page.at), item[0]))


def _answering(twins: Twins, page: Told, earlier_s: float) -> dict[int, Told]:
    """The pages under the new version that tell of the same, by number, in order of time."""
    incidents: set[str] = set()
    for firing in twins.twins_of(page.firing):
        incident = twins.now.firings[firing].incident
        incidents |= {incident} if incident else set()
    case = twins.case_was.get(page.incident)
    paired = None if case is None else twins.pairing.pairs.get(case)
    if paired is not None:
        incidents.add(twins.now.cases[paired].id)
    stands = set(twins.twins_of(page.firing))
    return {
        number: other
        for number, other in enumerate(twins.now.pages)
        if (other.incident in incidents or other.firing in stands) and other.at >= page.at - earlier_s
    }


def _lost(twins: Twins, page: Told, firing: Firing, limits: Limits) -> PageDifference:
    now = [twins.now.firings[index] for index in twins.twins_of(page.firing)]
    put_off = next((one for one in now if one.held_until is not None and one.lasts), None)
    last = now[-1] if now else None
    names = {firing.name, firing.mark, page.incident}
    return PageDifference(
        what="lost" if put_off is None else "not_yet",
        alert=firing.name,
        mark=firing.mark,
        labels=firing.labels,
        severity=page.severity,
        was=page.incident,
        now=(last.incident or "") if last else "",
        was_at=page.at,
        now_at=None if put_off is None else put_off.held_until,
        why="it is not seen at all"
        if last is None
        else last.why
        if last.why.startswith(last.verdict)
        else f"{last.verdict}: {last.why}",
        rise=page.rise,
        allowed=bool(names & limits.allowed),
    )


def _of_new(twins: Twins, earlier_s: float) -> Iterator[PageDifference]:
    old: dict[str, list[Told]] = {}
    for page in twins.was.pages:
        old.setdefault(page.incident, []).append(page)
    for page in twins.now.pages:
        before = twins.twins_before(page.firing)
        incidents = {twins.was.firings[index].incident for index in before} - {None}
        case = twins.case_now.get(page.incident)
        paired = None if case is None else twins.pairing.back.get(case)
        if paired is not None:
            incidents.add(twins.was.cases[paired].id)
        told = [other for name in incidents if name for other in old.get(name, ())]
        told += [other for other in twins.was.pages if other.firing in before]
        told = [other for other in told if other.at >= page.at - earlier_s]
        if any(not page.rise or rank(other.severity) >= rank(page.severity) for other in told):
            continue
        firing = twins.now.firings[page.firing]
        yield PageDifference(
            what="new",
            alert=firing.name,
            mark=firing.mark,
            labels=firing.labels,
            severity=page.severity,
            was=next((twins.was.firings[index].incident or "" for index in before), ""),
            now=page.incident,
            now_at=page.at,
            why=page.why,
            rise=page.rise,
        )


def closes(pages: Sequence[PageDifference], limits: Limits) -> Iterator[str]:
    """Why pages close the gate."""
    lost = [page for page in pages if page.what == "lost" and not page.allowed]
    if lost:
        yield f"{_counted(len(lost), 'page')} lost: {_named(lost)}"
    late = [page for page in pages if page.what == "later" and page.later_s > limits.later_s]
    if late:
        yield f"{_counted(len(late), 'page')} later than allowed: {_named(late)}"
    new = [page for page in pages if page.what == "new"]
    if limits.new_pages is not None and len(new) > limits.new_pages:
        yield f"{_counted(len(new), 'new page')}, {limits.new_pages} allowed: {_named(new)}"


def _counted(count: int, what: str) -> str:
    head, _, rest = what.rpartition(" ")
    return f"{count} {f'{head} ' if head else ''}{rest}{'s' * (count != 1)}"


def _named(pages: Iterable[PageDifference]) -> str:
    names = list(dict.fromkeys(page.alert or page.mark for page in pages))
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
