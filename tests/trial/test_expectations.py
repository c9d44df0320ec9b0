"""What a scenario may expect, and how it is told when it is not so."""

NO_PLAYBOOKS = """\
test: three alerts, one incident
graph: {edges: [[web, checkout], [checkout, db]]}
feed:
  - {at: 0s, change: {kind: deploy, service: checkout, revision: v9, previous: v8}}
  - {at: 4m, alert: {alertname: HighErrors, service: checkout, severity: critical}, for: 20m}
  - {at: 4m, alert: {alertname: Latency, service: checkout, severity: warning}, for: 20m}
  - {at: 4m30s, alert: {alertname: SlowPage, service: web, severity: critical}, for: 20m}
expect:
"""


def test_what_is_as_expected_passes(house):
    assert not house.failures(
        NO_PLAYBOOKS
        + """\
  - at: 3m
    incidents: []
    pages: 0
  - at: 6m
    incidents: [{suspect: checkout, kind: deploy, clear: true, alerts: [HighErrors, Latency, SlowPage], paged: true,
                 severity: critical, status: open, title: checkout}]
    pages: [{reason: first cause service/checkout, reminder: false}]
    held: [{alertname: SlowPage}, {alertname: Latency, service: checkout}]
    muted: []
    digest: 0
    runs: []
    no_calls: true
    calls: [{console.page: {}, times: 1}]
  - at: 2h
    incidents: [{status: resolved, suspect: service/checkout}]
"""
    )


def test_each_miss_is_told_at_its_line_with_what_there_is(house):
    found = house.failures(
        NO_PLAYBOOKS
        + """\
  - at: 6m
    incidents: [{suspect: db, alerts: 1}]
    pages: 2
    held: [{alertname: Latency}, {alertname: Other}]
    muted: 1
    runs: [{playbook: rollback}]
    calls: [{console.page: {title: nothing}}]
    no_calls: [console.page]
""".replace("{playbook: rollback}", "{state: done}")
    )
    assert [(line, what, want) for line, what, want, _ in found] == [
        (10, "incidents", "{suspect: db, alerts: 1}"),
        (11, "pages", "2"),
        (14, "runs", "{state: done}"),
        (12, "held", "{alertname: Other}"),
        (13, "muted", "1"),
        (15, "calls", "console.page with {title: nothing}, once or more"),
        (16, "no_calls", "no call of console.page"),
    ]
    got = {what: text for _, what, _, text in found}
    assert got["incidents"].startswith("suspect service/checkout; alerts 3: INC-")
    assert got["pages"].startswith("1: ")
    assert got["runs"] == "none"
    assert got["held"].startswith('alertname "SlowPage": {alertname: SlowPage')
    assert got["calls"].startswith("never; its calls: console.page {")


def test_a_list_names_everything_there_is(house):
    (found,) = house.failures(NO_PLAYBOOKS + "  - {at: 6m, incidents: []}\n")
    assert found[1:3] == ("incidents", "none")
    assert found[3].startswith("also INC-")
    found = house.failures(NO_PLAYBOOKS + "  - {at: 6m, incidents: [{suspect: checkout}, {suspect: checkout}]}\n")
    assert [one[1:] for one in found] == [("incidents", "{suspect: checkout}", "none")]


def test_things_are_matched_in_any_order(house):
    text = """\
    test: two incidents, written in the other order
    feed:
      - {at: 0s, alert: {alertname: DiskFull, service: one, severity: critical}}
      - {at: 3h, alert: {alertname: QueueFull, service: two, severity: critical}}
    expect:
      - at: 4h
        incidents: [{}, {title: QueueFull}]
    """
    assert not house.failures(text)


def test_rules_can_be_chosen(house):
    (house.directory / "rules" / "ours.yaml").write_text(
        'mute: [{name: noisy, match: [alertname="Noise"], reason: known}]\n'
    )
    feed = """\
    test: what our rule mutes
    feed: [{at: 0s, alert: {alertname: Noise, service: checkout, severity: critical}}]
    """
    muted = "expect: [{at: 1h, muted: [{alertname: Noise}], incidents: 0}]\n"
    assert not house.failures(_with(feed, muted))
    assert not house.failures(_with(feed, "rules: [rules/ours.yaml]\n", muted))
    assert not house.failures(_with(feed, "rules: []\n", "expect: [{at: 1h, muted: 0, incidents: 1}]\n"))


def test_every_kind_of_record_can_be_fed(house):
    assert not house.failures("""\
    test: all kinds
    clock: "2026-05-01T12:00:00+02:00"
    graph: {entities: {checkout: {owner: payments, tier: 1, labels: {team: shop}}}, edges: [[web, checkout, calls]]}
    feed:
      - {at: 0s, sample: {service: checkout, metric: errors, points: {"0s": 0.1, "1m": 0.9}}}
      - {at: 1m, sample: {entity: database/main, metric: load, value: 3}, every: 1m, times: 3}
      - {at: 1m, log: {service: checkout, severity: error, text: it broke}}
      - {at: 2m, change: {kind: flag, service: checkout, flag: new-cart, author: ana}}
      - {at: 3m, record: {kind: alert, status: firing, labels: {alertname: A, severity: critical}, starts_at: 2m}}
      - {at: 3m, record: {kind: entity, entity: service/search}}
      - {at: 4m, alert: {alertname: B, severity: critical}, value: 0.9, threshold: 0.5, annotations: {summary: high}}
    expect:
      - {at: 30m, incidents: [{title: A}, {title: B}], pages: 2}
    """)


def _with(*parts):
    lines = parts[0].splitlines()
    return "\n".join([*(line[4:] for line in lines), *(part.rstrip("\n") for part in parts[1:])]) + "\n"
