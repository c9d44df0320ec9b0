"""quell's own numbers for Prometheus, in a registry of their own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

ALERTMANAGER_VERSION = "0.28.0"
"""What dashboards of Alertmanager read from ``alertmanager_build_info`` to learn which API they speak to."""


class Metrics:
    """Each attribute is one metric; labels in the order of their declaration."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        self.accepted = Counter("quell_records_accepted", "Records journalled.", registry=registry)
        self.refused = Counter("quell_records_refused", "Records not taken, by reason.", ["reason"], registry=registry)
        self.requests = Counter(
            "quell_deliveries", "HTTP deliveries, by source and status.", ["source", "status"], registry=registry
        )
        self.groups = Counter("quell_groups", "Journal groups committed.", registry=registry)
        self.receiver = Gauge("quell_receiver", "1 while a process of its own takes deliveries in.", registry=registry)
        self.receiver_lost = Counter(
            "quell_receiver_lost", "Times that the process was lost that takes deliveries in.", registry=registry
        )
        self.turned_away = Counter(
            "quell_connections_turned_away", "Connections for which there was no room, or no file.", registry=registry
        )
        self.turn_seconds = Histogram(
            "quell_turn_seconds",
            "Time of one turn of the loop: deciding and committing.",
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
            registry=registry,
        )
        self.inbox_size = Gauge("quell_inbox_size", "Records between arrival and decision.", registry=registry)
        self.backlog_records = Gauge(
            "quell_backlog_records", "Records stored and not decided over yet.", registry=registry
        )
        self.lag_seconds = Gauge(
            "quell_lag_seconds", "Age of the oldest record that is not decided over yet.", registry=registry
        )
        self.incidents_open = Gauge("quell_incidents_open", "Incidents open or acknowledged.", registry=registry)
        self.incident_events = Counter(
            "quell_incident_events", "What happened to incidents: opened, resolved, merged, ….", ["event"],
            registry=registry,
        )  # fmt: skip
        self.pages = Counter(
            "quell_pages",
            "Times that people were told: first, as it became worse (rise), again (reminder), quietly (early).",
            ["kind"], registry=registry,
        )  # fmt: skip
        self.not_paged = Counter(
            "quell_alerts_not_paged", "Alerts that ended without a page, by how they were handled and why.",
            ["handling", "code"], registry=registry,
        )  # fmt: skip
        self.acknowledged_seconds = Histogram(
            "quell_acknowledged_seconds",
            "From the opening of an incident until a person took it first.",
            buckets=(30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200),
            registry=registry,
        )
        self.alerts_firing = Gauge("quell_alerts_firing", "Alerts that fire.", registry=registry)
        self.poisoned = Counter(
            "quell_records_poisoned", "Records on which the core failed; they are in quarantine.", registry=registry
        )
        self.quarantine_waiting = Gauge(
            "quell_quarantine_waiting", "Entries in quarantine that nobody replayed or dropped.", registry=registry
        )
        self.ledger = Counter(
            "quell_ledger_results", "Results of actions, by outcome and failure.", ["outcome", "failure"],
            registry=registry,
        )  # fmt: skip
        self.pulls = Counter("quell_pulls", "Pulls, by source and outcome.", ["source", "outcome"], registry=registry)
        self.drill_ok = Gauge(
            "quell_drill_ok",
            "1 when a scheduled drill came as expected when it was held last.",
            ["drill"],
            registry=registry,
        )
        self.source_broken = Gauge(
            "quell_source_broken", "1 while a source does not work, by source.", ["source"], registry=registry
        )
        self.reloads = Counter("quell_reloads", "Reloads of the configuration, by outcome.", ["outcome"],
                               registry=registry)  # fmt: skip
        self.commits = Counter("quell_rule_commits", "Commits of rules looked at, by what became of them.", ["outcome"],
                               registry=registry)  # fmt: skip
        self.chat_calls = Counter(
            "quell_chat_calls", "Messages posted or edited where people talk, by source.", ["source"], registry=registry
        )
        self.chat_lag = Gauge(
            "quell_chat_lag_seconds", "Age of the oldest message that is not true any more.", ["source"],
            registry=registry,
        )  # fmt: skip
        build = Gauge("alertmanager_build_info", "The Alertmanager API that quell speaks.", ["version"],
                      registry=registry)  # fmt: skip
        build.labels(ALERTMANAGER_VERSION).set(1)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self._registry)
