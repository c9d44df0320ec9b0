"""What was accepted and is not decided over yet: a little of it in memory, the rest in the journal, where it is anyway.

So a storm that comes faster than it can be decided over costs disk, which it costs in any case, and no memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from operator import attrgetter
from typing import cast

from quell.daemon.writer import Writer
from quell.model.records import AlertRecord, AnyRecord
from quell.model.retold import Retold
from quell.store.port import Group

MOST_IN_MEMORY = 50_000
"""Records of groups that are kept at hand; what comes beyond is read from the journal when its time comes.

To read one again costs a fourth of what deciding over it does, and nobody decides meanwhile. The words of a new alert,
which are most of a record, stay in memory anyway once it is decided over.
"""
_AGAIN = 5
"""So many alerts whose words are the very objects of another that waits count as one: each is a few numbers more."""
_LONG = 1_000
"""Alerts whose words have more characters than this count as one more for each time as many: memory is what is bounded,
and words may be as long as the body of a request."""
_READ_AT_ONCE = 4
"""Groups per read: some thousands of records, so that a read keeps neither the writer nor the interpreter for long."""


class Backlog:
    """Groups in the order of their commits. ``most`` counts the records held in memory."""

    def __init__(self, writer: Writer, most: int = MOST_IN_MEMORY) -> None:
        self._writer = writer
        self._most = most
        self._groups: deque[Group] = deque()
        self._said: deque[frozenset[int]] = deque()
        """What the first of these groups say; those behind them were not asked."""
        self._records = 0
        self._asked = 0
        """Records of groups that were asked."""
        self._unasked = 0
        """What the others count at most."""
        self._words: dict[int, int] = {}
        """What records in memory say, by the identity of their labels and annotations: the last group that says it."""
        self._whole: dict[int, int] = {}
        """Of these what is said by a whole delivery, by the identity of its words, and by how many alerts."""
        self._by_whole = 0
        self._long: dict[int, int] = {}
        """Of these what is long, and what it counts besides."""
        self._more = 0
        self._last = 0
        """The seq of the last group that was taken in or read."""
        self._last_now: float | None = None
        self._left = 0
        """The seq of the last group that was left in the journal; 0 when none is."""

    @property
    def held(self) -> int:
        """Records in memory, as many as would take that much if each had words of its own."""
        self._ask_all()
        return self._at_most

    @property
    def _at_most(self) -> int:
        """The same or more: while even that is within bounds, nobody asks who says what others say.

        To ask is a twentieth of what receiving an alert costs, and is worth while in a storm of repeats only.
        """
        words = len(self._words) + self._by_whole
        return words + max(0, self._asked - words) // _AGAIN + self._more + self._unasked

    @property
    def count(self) -> int:
        """Records in memory."""
        return self._records

    def __bool__(self) -> bool:
        return bool(self._groups or self._left)

    @property
    def since(self) -> float | None:
        """When the oldest group was accepted, or one before it; None when there is none, or that is not known yet."""
        if self._groups:
            return self._groups[0].now
        return self._last_now if self._left else None

    def add(self, group: Group) -> None:
        """A group right after its commit.

        A gap before it are groups that were committed too, though the store could not say so at the time.
        """
        # Behind one that was left in the journal, all are: the order of commits is the order of decisions.
        if self._left or group.seq > self._last + 1 or (self._groups and not self._fits(len(group.records))):
            self._left = group.seq
        else:
            self._keep(group)

    def _fits(self, records: int) -> bool:
        return self._at_most + records <= self._most or self.held + records <= self._most

    def left(self, decided: int, last: int) -> None:
        """What a former process left in the journal: the groups after ``decided``, up to ``last``."""
        self._last = decided
        self._left = last if last > decided else 0

    def take(self) -> Iterator[Group]:
        """The groups at hand, each gone from here when it is given."""
        while self._groups:
            group = self._groups.popleft()
            self._records -= len(group.records)
            if self._said:
                self._forget(group, self._said.popleft())
            else:
                self._unasked -= _most_of(group)
            yield group

    async def read(self) -> None:
        """Brings groups from the journal to hand, if none is. Raises StoreError; nothing is lost by it."""
        while self._left and not self._groups:
            for group in await self._writer.call(self._next):
                if group.seq <= self._left:
                    self._keep(group)
            if self._last >= self._left:
                self._left = 0

    def _next(self) -> list[Group]:
        return list(islice(self._writer.store.groups_after(self._last, at_once=_READ_AT_ONCE), _READ_AT_ONCE))

    def _keep(self, group: Group) -> None:
        self._groups.append(group)
        self._records += len(group.records)
        self._unasked += _most_of(group)
        if group.parts or not group.size:
            self._ask_all()  # what it counts at most says little
        self._last, self._last_now = group.seq, group.now

    def _ask_all(self) -> None:
        for group in islice(self._groups, len(self._said), None):
            self._ask(group)
        self._unasked = 0

    def _ask(self, group: Group) -> None:
        apart: Sequence[AnyRecord] = group.records
        if group.parts:
            apart = list(chain.from_iterable(part for part in group.parts if type(part) is not Retold))
        words = _words_of(apart)
        if group.parts:
            words |= self._whole_words(group.parts)
        self._said.append(words)
        self._asked += len(group.records)
        self._words.update(dict.fromkeys(words, group.seq))
        for word, more in _long_words(apart, group.size).items():
            self._more += more - self._long.get(word, 0)
            self._long[word] = more

    def _whole_words(self, parts: Sequence[Sequence[AnyRecord]]) -> frozenset[int]:
        """Deliveries that were told again are counted by what they say."""
        found = {id(part.words): max(len(part), part.words.size // _LONG) for part in parts if type(part) is Retold}
        for word, count in found.items():
            if word not in self._whole:
                self._whole[word] = count
                self._by_whole += count - 1
        return frozenset(found)

    def _forget(self, group: Group, words: frozenset[int]) -> None:
        self._asked -= len(group.records)
        held, seq = self._words, group.seq
        for each in [each for each in words if held[each] == seq]:
            del held[each]
            if self._whole:
                self._by_whole -= self._whole.pop(each, 1) - 1
            if self._long:
                self._more -= self._long.pop(each, 0)


def _most_of(group: Group) -> int:
    """What the records of a group count at most, however long their words are; see `_long_words`."""
    records = len(group.records)
    return records if group.size <= _LONG * records else records + group.size // _LONG


def _words_of(records: Sequence[AnyRecord]) -> frozenset[int]:
    """By their identity, what the alerts say, of which annotations may be the larger part; of other records their own.

    Told in one go, and counted by group: there are hundreds of thousands of them in a storm.
    """
    if set(map(type, records)) == {AlertRecord}:
        told = cast("Sequence[AlertRecord]", records)  # as `_word_of`, without a call for each
        return frozenset([id(each.labels) ^ (id(notes) << 1 if (notes := each.annotations) else 0) for each in told])
    return frozenset(map(_word_of, records))


def _word_of(record: AnyRecord) -> int:
    if type(record) is not AlertRecord:
        return id(record)
    return id(record.labels) ^ (id(record.annotations) << 1 if record.annotations else 0)


_LABELS, _NOTES = attrgetter("labels"), attrgetter("annotations")


def _long_words(records: Sequence[AnyRecord], size: int) -> dict[int, int]:
    """What each alert with long words counts besides; nothing where all are short on the whole, as nearly always.

    ``size`` is how many bytes all of them were as they were written, with no less than their words; 0 if unknown.
    """
    told = [each for each in records if type(each) is AlertRecord]
    if 0 < size <= _LONG * len(told):
        return {}
    texts = chain.from_iterable(map(dict.values, chain(map(_LABELS, told), map(_NOTES, told))))
    if len("".join(texts)) <= _LONG * len(told):
        return {}
    return {_word_of(each): more for each in told if (more := _length(each) // _LONG)}


def _length(alert: AlertRecord) -> int:
    return sum(map(len, chain(alert.labels.values(), alert.annotations.values())))
