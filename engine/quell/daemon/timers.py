"""When the core is to be woken though nothing came: its timers, and what may go before them."""

from __future__ import annotations

from collections.abc import Callable

from quell.daemon.clock import Clock

_LONGEST_WAIT_S = 5.0
"""The wall clock may jump, so timers are looked at this often at least."""
_HELD_UP_S = 0.2
"""Timers let what waits for its commit go first, but no longer than this: it may be nothing that brings a group."""
_LOOK_S = 0.05
"""Between two looks while a timer is due and waits."""
_SLEPT_S = 60.0
"""A timer that is so late tells that the machine slept: what the clock should have begun meanwhile comes once."""


class Timers:
    """``next_due`` is of the core. ``busy`` says whether something is being committed.

    ``holds_time`` says whether a group has its time already and is still to be handed over: running timers beyond it
    would make a replay differ.
    """

    def __init__(self, clock: Clock, next_due: Callable[[], float | None]) -> None:
        self.busy: Callable[[], bool] = lambda: False
        self.holds_time: Callable[[], bool] = lambda: False
        self._clock = clock
        self._next_due = next_due
        self._after = 0.0

    def anew(self) -> None:
        """Whatever made timers wait is over."""
        self._after = 0.0

    def pause(self, real_s: float) -> None:
        """Time itself made the core fail: timers are tried again so much later."""
        self._after = self._clock.now() + real_s * self._clock.speed

    def stays(self, before: float | None, now: float) -> float | None:
        """A timer that is due though the core has just been woken for it, which is told no sooner than a second on."""
        again = self._next_due()
        if before is None or again is None or again > before:
            return None
        self._after = max(self._after, now + self._clock.speed)
        return again

    @property
    def wait_s(self) -> float:
        """How long to wait for news before timers are looked at."""
        late_s = self._late_s()
        wait_s = _LONGEST_WAIT_S if late_s is None else -late_s
        if self.busy() or self.holds_time():  # most likely it will be news
            wait_s = max(wait_s, _LOOK_S)
        return min(max(wait_s, 0.0), _LONGEST_WAIT_S)

    @property
    def due(self) -> bool:
        """Whether the core is to be woken now."""
        late_s = self._late_s()
        if late_s is None or late_s < 0 or self.holds_time():
            return False
        return late_s >= _HELD_UP_S or not self.busy()

    @property
    def slept(self) -> bool:
        """Whether timers are so late that the machine must have slept, or its clock jumped."""
        late_s = self._late_s()
        return late_s is not None and late_s >= _SLEPT_S

    def _late_s(self) -> float | None:
        """For how long the next timer has been due; None without any."""
        due = self._next_due()
        return None if due is None else self._clock.real_s(self._clock.now() - max(due, self._after))
