"""Whatever the outside answers: with kills everywhere a playbook of acts that may be repeated comes to the same."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PLAYBOOK = """\
    playbook: long
    mode: enforce
    guards: {each: [incident.id]}
    steps:
      - id: ticket
        do: ticket.open
        with: {title: "${incident.title}"}
        retry: {times: 1, wait: 10s, on: [unreachable, timeout]}
        on_failure: continue
      - id: set
        do: deploy.put
        with: {url: /set}
        undo: {do: deploy.put, with: {url: /unset}}
        retry: {times: 1, wait: 10s, on: [unreachable]}
      - id: calm
        do: wait
        with: {until: 'incident.status != "open"', within: 4m, every: 30s}
        on_failure: continue
      - id: comment
        do: ticket.comment
        with: {key: it, text: it is set}
        on_failure: undo
      - id: tell
        do: console.print
        with: {text: it is done}
        on_failure: continue
    on_failure:
      - {do: console.print, with: {text: it failed}}
"""
ANSWER = st.one_of(
    st.sampled_from(["unreachable", "timeout", "refused", "lost"]).map(lambda kind: f"{{fail: {kind}}}"),
    st.sampled_from(["0s", "5s", "50s", "70s"]).map(lambda span: f"{{ok: {{}}, takes: {span}}}"),
)
ANSWERS = st.lists(ANSWER, min_size=1, max_size=3).map(lambda answers: f"[{', '.join(answers)}]")
ACTIONS = ("ticket.open", "deploy.put", "ticket.comment", "console.print", "console.page")


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fakes=st.dictionaries(st.sampled_from(ACTIONS), ANSWERS),
    acked=st.sampled_from([None, "11m", "13m"]),
    ends=st.sampled_from(["15m", "40m"]),
)
def test_kills_change_nothing(house, fakes, acked, ends):
    house.playbook("long", PLAYBOOK)
    said = ", ".join(f"{action}: {answers}" for action, answers in fakes.items())
    people = f"people: [{{at: {acked}, ack: true, as: ana}}]" if acked else ""
    text = f"""\
    test: whatever happens
    feed: [{{at: 0s, alert: {{alertname: Down, service: checkout, severity: critical}}}}]
    fake: {{{said}}}
    {people}
    expect: [{{at: {ends}}}]
    crash: everywhere
    """
    tried = house.tried(text)
    assert tried.passed, "\n".join(map(str, tried.complaints()))
    assert tried.trials[0].kills > 10
