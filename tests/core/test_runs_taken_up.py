"""What a process finds of runs that another one left: which intents they still wait for."""

from __future__ import annotations

from core.stage import Stage, playbook, step
from quell.daemon.taking_up import awaited, waiting
from quell.model.playbook import Each, Step


def left(*steps: Step) -> Stage:
    stage = Stage(playbook(*steps))
    stage.news()
    return stage.restart()


def test_a_read_before_an_act_is_waited_for_until_it_is_answered() -> None:
    stage = left(step("act", before="app.state"))
    (read,) = stage.performs
    assert awaited(stage.state, read)
    assert waiting(stage.state) == {read.key: stage.run.id}
    stage.answer(output={"already": False})
    act = stage.performs[-1]
    assert not awaited(stage.state, read)
    assert awaited(stage.state, act)
    assert waiting(stage.state) == {act.key: stage.run.id}


def test_all_reads_at_once_are_waited_for() -> None:
    stage = left(*(step(name, "app.read", effect="read", group="g") for name in ("one", "two")), step("act"))
    one, two = stage.performs
    assert waiting(stage.state).keys() == {one.key, two.key}
    stage.answer(two.key)
    assert (awaited(stage.state, one), awaited(stage.state, two)) == (True, False)


def test_an_item_is_waited_for_and_one_in_doubt_only_if_it_may_be_repeated() -> None:
    stage = left(step("act", for_each=Each(of=["a", "b"], most=2), repeat="never"))
    (item,) = stage.performs
    assert awaited(stage.state, item)
    stage.answer(outcome="in_doubt")
    assert stage.run.state == "in_doubt"
    assert not awaited(stage.state, item)
    assert waiting(stage.state) == {}
