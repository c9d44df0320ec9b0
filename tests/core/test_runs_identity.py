"""A run is never taken for one long ago: the ledger remembers longer than the core does."""

from __future__ import annotations

from core.scene import Scene, ends, fires, matcher, playbook, rulebook

DAY_S = 86_400.0


def test_a_firing_after_everything_is_forgotten_begins_a_run_with_keys_of_its_own():
    book = rulebook(playbooks=(playbook(on=(), alert=(matcher("alertname", "DiskFull"),)),))
    scene = Scene(book)
    scene.tell(fires("disk", 0.0, "DiskFull"), ends("disk", 600.0, "DiskFull"))
    for day in range(1, 70, 3):
        scene.tell(fires("cache", day * DAY_S, "Other"), ends("cache", day * DAY_S + 600.0, "Other"))
    assert any(one.run for one in scene.calls)
    known = {one.key for one in scene.calls}
    said = len(scene.calls)
    scene.tell(fires("disk", 70 * DAY_S, "DiskFull"))
    again = scene.calls[said:]
    assert [one for one in again if one.run], "it begins"
    assert known.isdisjoint(one.key for one in again)
