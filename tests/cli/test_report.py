"""The demo's report says what there is, and says so when there is nothing."""

from rich.console import Console

from quell.cli.demo.report import Found, print_report

T = "2026-03-02T10:00:00.000Z"
BARE = {"id": "INC-1", "title": "something", "status": "open", "opened_at": T, "updated_at": T}


def report(*, kept=True, **parts):
    everything = {"events": 0, "alerts": [], "incidents": [], "runs": [], "tickets": [], **parts}
    out = Console(width=1000, record=True, file=None, quiet=False, force_terminal=False)
    with out.capture() as captured:
        print_report(out, Found(**everything), "QUELL_URL=u quell", kept=kept)
    return captured.get()


def test_nothing_at_all():
    said = report()
    assert "0 events → 0 alerts → 0 incidents" in said
    assert "0 of 0 alerts did not page by themselves:" in said
    assert "none ran" in said


def test_fields_that_hold_their_defaults_are_left_out_by_the_api():
    alert = {"fingerprint": "f", "labels": {}, "status": "firing", "starts_at": T}
    bare = [
        {"incident": BARE},
        {"incident": {**BARE, "suspects": [{"entity": "service/a"}], "no_clear_cause": True, "paged_at": T}},
        {"incident": {**BARE, "suspects": [{"entity": "service/a", "confidence": 0.2}], "no_clear_cause": True}},
        {"incident": {**BARE, "status": "withdrawn"}},
    ]
    said = report(events=5, alerts=[alert], incidents=bare)
    assert "5 events → 1 alert → 3 incidents" in said
    assert "no suspect yet" in said
    assert "no clear cause; trouble is seen at service/a only" in said
    assert "no clear cause; best candidate: service/a  20%" in said
    assert "nobody was paged" in said
    assert "no change is near enough to blame" in said


def test_many_tickets_are_counted():
    tickets = [{"id": f"OPS-{n}", "title": "t"} for n in range(5)]
    run = {"id": "R-1", "playbook": "p", "incident": "INC-1", "state": "done", "mode": "enforce", "why": "w"}
    said = report(runs=[run, run, {**run, "id": "R-2", "state": "waiting"}], tickets=tickets)
    assert "p: 2 runs done" in said
    assert "… and 2 more" in said
    assert "approve it with:\nQUELL_URL=u quell approve R-2" in said
    assert "in a demo kept with KEEP=1" in report(runs=[{**run, "state": "waiting"}], kept=False)
