"""What would make the next look quicker, done as alerts come; and put off while many more wait to be decided over.

It changes how long a look takes and never what comes of it. Whoever decides over what waits before it decides nothing
that is shown sooner by it: tens of thousands of new alerts are then read in one go, after the last of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from quell.core.chart import Chart
from quell.core.standing import Standing
from quell.model.decision import AnyDecision


class Ahead:
    """``put_off`` is for whoever gives the core its work: the core does not know what is still to come."""

    def __init__(self, standing: Standing, chart: Chart) -> None:
        self.put_off = False
        self._standing = standing
        self._chart = chart

    def read(self) -> Iterator[list[AnyDecision]]:
        """Reads what joined large groups, in pieces without a decision, unless that is put off."""
        if self._standing.behind and not self.put_off:
            for _ in self._standing.read(self._chart.correlator.alerts_of):
                yield []
