"""What is wrong with a test file is told with line and column; several scenarios share what stands beside them."""

import pytest

from quell.trial.trying import test_files as files_below

HEAD = "test: it\nfeed: [{at: 0s, alert: {alertname: A, severity: critical}}]\n"


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", 0, 0, "the file holds no test"),
        ("test: it\n", 1, 1, 'a scenario needs "expect"'),
        ("expect: [{at: 1m}]\n", 1, 1, 'a test file holds "test", what it shows, or "tests", a list of scenarios'),
        (HEAD + "expects: [{at: 1m}]\nexpect: [{at: 1m}]\n", 3, 1, 'unknown key "expects"'),
        (HEAD + "expect: [{at: soon}]\n", 3, 15, '"soon" is not a duration; write one such as 90s, 15m or 2h'),
        (HEAD + "expect: [{at: 1m, runs: [{state: finished}]}]\n", 3, 34, '"finished" is not one of'),
        (HEAD + "expect: [{at: 1m, runs: [{playbook: no}]}]\n", 3, 37, 'unknown playbook "no"'),
        (HEAD + "expect: [{at: 1m, incidents: [{suspekt: a}]}]\n", 3, 32, 'unknown key "suspekt"'),
        (HEAD + "expect: [{at: 1m, calls: [{ticket.opne: {}}]}]\n", 3, 28, 'unknown action "ticket.opne"'),
        (HEAD + "expect: [{at: 1m, calls: [{times: 2}]}]\n", 3, 27, "a call names one action, this one 0"),
        (HEAD + "expect: [{at: 1m, calls: [{ticket.open: {}, times: -1}]}]\n", 3, 52, '"-1" is not a number of times'),
        (HEAD + "expect: [{at: 1m, calls: [{ticket.open: 7}]}]\n", 3, 41, "expected a mapping of parameters"),
        (HEAD + "expect: [{at: 1m, no_calls: [ticket.opne]}]\n", 3, 30, 'unknown action "ticket.opne"'),
        (HEAD + "playbooks: [no]\nexpect: [{at: 1m}]\n", 3, 13, 'unknown playbook "no"'),
        (HEAD + "rules: [no.yaml]\nexpect: [{at: 1m}]\n", 3, 9, 'unknown rules file "no.yaml"'),
        (HEAD + "fake: {ticket.opne: {}}\nexpect: [{at: 1m}]\n", 3, 8, 'unknown action or measure "ticket.opne"'),
        (HEAD + "fake: {ticket.open: []}\nexpect: [{at: 1m}]\n", 3, 21, '"ticket.open" needs an answer'),
        (HEAD + "fake: {ticket.open: {fail: broken}}\nexpect: [{at: 1m}]\n", 3, 28, '"broken" is not one of'),
        (HEAD + "fake: {ticket.open: {ok: {}, fail: refused}}\nexpect: [{at: 1m}]\n", 3, 21, "an answer is either ok"),
        (HEAD + "fake: {ticket.open: {ok: {}, tekes: 1s}}\nexpect: [{at: 1m}]\n", 3, 30, 'unknown key "tekes"'),
        (HEAD + "fake: {ticket.open: {ok: {}, takes: 1}}\nexpect: [{at: 1m}]\n", 3, 37, '"1" has no unit'),
        (HEAD + "people: [{at: 1m, as: ana}]\nexpect: [{at: 1m}]\n", 3, 10, "exactly one of approve, reject"),
        (HEAD + "people: [{at: 1m, run: no}]\nexpect: [{at: 1m}]\n", 3, 24, 'unknown playbook "no"'),
        (
            "test: it\nfeed: [{at: 0s}]\nexpect: [{at: 1m}]\n",
            2,
            8,
            "exactly one of alert, change, sample, log, series and record",
        ),
        ("test: it\nfeed: [{at: 0s, log: {}, for: 1m}]\nexpect: [{at: 1m}]\n", 2, 8, "for, annotations, value"),
        ("test: it\nfeed: [{at: 0s, log: {entity: a}, times: 2}]\nexpect: [{at: 1m}]\n", 2, 8, '"every" and "times"'),
        ("test: it\nfeed: [{at: 0s, alert: {code: 5}}]\nexpect: [{at: 1m}]\n", 2, 31, "expected text, found 5"),
        ("test: it\nfeed: [{at: 0s, change: {kind: depoly}}]\nexpect: [{at: 1m}]\n", 2, 32, "type: "),
        ("test: it\nfeed: [{at: 0s, sample: {metrik: a}}]\nexpect: [{at: 1m}]\n", 2, 34, 'unknown key "metrik"'),
        (
            "test: it\nfeed: [{at: 0s, record: {kind: alrt}}]\nexpect: [{at: 1m}]\n",
            2,
            32,
            'unknown kind of record "alrt"',
        ),
        (
            "test: it\nfeed: [{at: 0s, record: {status: a}}]\nexpect: [{at: 1m}]\n",
            2,
            25,
            'unknown kind of record "None"',
        ),
        (
            "test: it\nfeed: [{at: 0s, record: {kind: alert, starts_at: x}}]\nexpect: [{at: 1m}]\n",
            2,
            50,
            '"x" is not a time',
        ),
        ("test: it\ngraph: {edges: [[a, a]]}\nexpect: [{at: 1m}]\n", 2, 17, '"service/a" cannot depend on itself'),
        ("test: it\nclock: noon\nexpect: [{at: 1m}]\n", 2, 8, '"noon" is not a time'),
        ("test: it\ntest: it\nexpect: [{at: 1m}]\n", 2, 1, 'the key "test" stands here twice'),
    ],
)
def test_a_mistake_is_told_at_its_place(house, text, line, column, message):
    found = house.problems(text)
    assert [one[:2] for one in found] == [(line, column)]
    assert message in found[0][2]


def test_all_mistakes_come_at_once_and_help(house):
    found = house.problems(
        HEAD + "fake: {ticket.opne: {}}\nexpect: [{at: 1m, calls: [{consol.page: {}}], no_calls: [ticket.colse]}]\n"
    )
    assert [suggestion for *_, suggestion in found] == [
        'did you mean "ticket.open"?',
        'did you mean "ticket.close"?',
        'did you mean "console.page"?',
    ]


def test_scenarios_of_one_file_share_what_stands_beside_them(house):
    tried = house.tried("""\
    clock: "2026-01-01T00:00:00Z"
    feed: [{at: 0s, alert: {alertname: A, service: one, severity: critical}}]
    tests:
      - test: nobody does anything
        expect: [{at: 30m, incidents: [{status: open}]}]
      - test: somebody takes it
        people: [{at: 15m, ack: one, as: ana}]
        expect: [{at: 30m, incidents: [{status: acknowledged, acknowledged_by: ana}]}]
      - test: there is more
        feed: [{at: 0s, alert: {alertname: B, service: two, severity: critical}}]
        expect: [{at: 30m, pages: 2}]
        crash: everywhere
    """)
    assert tried.passed, tried.complaints()
    assert [(trial.scenario.place.line, trial.kills > 0) for trial in tried.trials] == [
        (4, False),
        (6, False),
        (9, True),
    ]


def test_test_files_are_found_everywhere_but_in_hidden_places(tmp_path):
    for name in ("a.test.yaml", "rules/b.test.yml", ".git/c.test.yaml", "rules/.d.test.yaml", "rules/e.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert [path.relative_to(tmp_path).as_posix() for path in files_below(tmp_path)] == [
        "a.test.yaml",
        "rules/b.test.yml",
    ]


def test_a_failure_is_a_problem_for_whoever_only_takes_problems(house):
    (found,) = house.tried(HEAD + "expect: [{at: 30m, pages: 3}]\n").complaints()
    assert str(found).startswith("playbooks/some.test.yaml:3:1: test failed: pages after 30m: want 3; got 1: A (")
