"""What holds for every connector that is installed, whoever wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest

from quell.sdk.registry import find_connectors, offers
from quell.sdk.testkit import check_connector

FOUND = find_connectors()
OURS = {
    "airflow": {"act", "pull"},
    "alertmanager": {"receive", "serve"},
    "alertmanager_poll": {"pull"},
    "argo_rollouts": {"act"},
    "argocd": {"act", "receive"},
    "arize": {"receive"},
    "chat_webhook": {"act"},
    "cloudevents": {"receive"},
    "email": {"act"},
    "elasticsearch": {"pull"},
    "evidently": {"receive"},
    "fiddler": {"receive"},
    "great_expectations": {"receive"},
    "loki": {"pull"},
    "nannyml": {"receive"},
    "sagemaker": {"receive"},
    "soda": {"receive"},
    "sql": {"pull"},
    "vertex": {"receive"},
    "console": {"act"},
    "file": {"act"},
    "flagsmith": {"act", "receive"},
    "github": {"act", "receive"},
    "gitlab": {"act", "receive"},
    "http": {"act"},
    "jira": {"act"},
    "kubernetes": {"act"},
    "launchdarkly": {"act", "receive"},
    "mlflow": {"act", "pull", "receive"},
    "openlineage": {"receive"},
    "opsgenie": {"receive"},
    "otlp": {"receive"},
    "pagerduty": {"act", "pull", "receive"},
    "predictions": {"receive"},
    "prometheus": {"act", "ask", "pull", "recall"},
    "redmine": {"act"},
    "script": {"act"},
    "servicenow": {"act"},
    "slack": {"act"},
    "statuspage": {"act"},
    "ticket": {"act"},
    "topology": {"receive"},
    "unleash": {"act", "receive"},
    "webhook": {"receive"},
}


def test_all_of_ours_are_there_with_their_verbs() -> None:
    assert FOUND.problems == ()
    assert {name: offers(FOUND.connectors[name]) for name in OURS} == OURS


@pytest.mark.parametrize("name", sorted(FOUND.connectors))
def test_the_rules_of_the_house_hold(name: str) -> None:
    check_connector(FOUND.connectors[name])


def test_no_connector_imports_another() -> None:
    root = Path(__file__).parents[2] / "connectors" / "quell_connectors"
    modules = [path for path in root.rglob("*.py") if path.parent != root]
    assert len(modules) > 20
    for path in modules:
        vendor = path.relative_to(root).parts[0]
        strangers = [
            line
            for line in path.read_text().splitlines()
            if line.startswith(("from quell_connectors", "import quell_connectors"))
            and not line.startswith(f"from quell_connectors.{vendor}")
        ]
        assert strangers == [], path
