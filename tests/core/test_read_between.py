"""Whoever reads between two pieces of a look finds a whole state, and changes nothing that is decided."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings

from core.test_engine_properties import BOUNDED, T0, Play, Story, named, stories
from core.test_pieces import PIECES
from quell.core import lone, standing
from quell.core.explain import why_not
from quell.model.records import AnyRecord


class Watched(Play):
    """Somebody asks for all that is told of incidents and alerts after each piece."""

    def turn(self, records: Sequence[AnyRecord], at: float) -> None:
        for piece in self.engine.parts(records, T0 + at):
            self.decisions += piece
            state = self.engine.state
            assert {name for name in state.incidents if self.engine.explain(name) is None} == set()
            assert all(why_not(state, alert) for alert in state.alerts.values())
            self.engine.next_due()


@settings(BOUNDED, max_examples=12)
@given(stories())
def test_who_reads_between_two_pieces_changes_nothing(numbered: Story) -> None:
    story = named(numbered)
    alone = Play(answers=False).story(story)
    with pytest.MonkeyPatch.context() as patch:
        for module, names in (*PIECES, (standing, ("FEW", "AHEAD")), (lone, ("JUDGED_TOGETHER",))):
            for name in names:
                patch.setattr(module, name, 1)
        watched = Watched().story(story)
    assert watched.decisions == alone.decisions
    assert watched.engine.snapshot() == alone.engine.snapshot()
