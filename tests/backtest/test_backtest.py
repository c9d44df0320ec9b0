"""quell backtest, as people call it."""

import json
import shutil
import sqlite3
import sys
from contextlib import closing

import pytest

from backtest.shop import MUTED, START, git, history, repository, write_history
from quell.backtest.answers import Answers
from quell.backtest.course import Span
from quell.backtest.difference import Difference
from quell.backtest.follow import Follower
from quell.cli.main import run
from quell.config import load
from quell.export.lines import record_line
from quell.model.records import CommandRecord
from quell.sdk.registry import find_connectors
from quell.store.opening import open_store
from quell.store.port import Accepted


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("once")
    repository(folder, "ops/quell")
    return folder


@pytest.fixture
def rules(once, tmp_path):
    shutil.copytree(once, tmp_path / "repo")
    return tmp_path / "repo" / "ops" / "quell"


@pytest.fixture
def recorded(tmp_path):
    return write_history(tmp_path / "history.jsonl")


@pytest.fixture
def backtest(rules, recorded, capfd):
    def called(*words, code=0, history=True):
        given = ["--history", str(recorded)] if history else []
        found = run(["backtest", str(rules), *given, *words])
        sys.stdout.flush()
        told = capfd.readouterr()
        assert found == code, told.out + told.err
        if code < 2 and "--json" in words and "--out" not in words:
            return json.loads(told.out)
        return told.out if code < 2 else told.err

    return called


def mute(rules):
    (rules / "rules" / "mine.yaml").write_text(MUTED)


def test_the_same_rules_make_no_difference(backtest):
    told = backtest()
    assert told.startswith("No difference: both versions make the same of this history\n")
    assert "17 records" in told


SPECS = {name: connector.spec for name, connector in find_connectors().connectors.items()}
FOLLOWED = """\
store: sqlite:///quell.db
sources:
  slack: {use: slack, bot_token: "env:NOT_SET_SLACK", app_token: "env:NOT_SET_APP"}
  pagerduty: {use: pagerduty, routing_key: "env:NOT_SET_PD", token: "env:NOT_SET_TOKEN", watch: true, every: 30s}
pages:
  - {to: pagerduty.trigger, follow: true}
  - {to: slack.post, with: {channel: "#incidents"}}
chat: {rooms: [{to: slack, channel: "#incidents"}]}
digest: {to: slack.post, with: {channel: "#on-call"}}
"""


def test_routes_that_follow_and_what_people_did_elsewhere_are_replayed_without_a_secret(rules, recorded, backtest):
    """Slack and PagerDuty among the sources: nothing of them is asked, and their people's words count."""
    (rules / "quell.yaml").write_text(FOLLOWED)
    git(rules, "commit", "-qam", "PagerDuty follows")
    assert backtest().startswith("No difference: both versions make the same of this history\n")
    follower = Follower(load(rules, SPECS, {}, secrets_needed=False).rulebook, Span(), Answers())
    follower.run(history(), 15.0)
    name = next(page.incident for page in follower.course().pages)
    heard = [
        CommandRecord(
            at=START + at, source="pagerduty", id=f"PGR0VU2/{status}/{at}", verb="follow", target=name,
            by="Ana Ruiz", args={"status": status, "there": "PGR0VU2"},
        )
        for at, status in ((120, "acknowledged"), (1800, "resolved"))
    ]  # fmt: skip
    records = sorted([*history(), *heard], key=lambda record: record.at)
    recorded.write_bytes(b"".join(record_line(record) + b"\n" for record in records))
    mute(rules)
    told = backtest(code=1)
    assert told.startswith("FAILED: 1 page lost: JobFailed\n")
    assert "19 records" in told


def test_a_lost_page_closes_the_gate_and_says_why(rules, backtest):
    mute(rules)
    told = backtest(code=1)
    assert told.startswith("FAILED: 1 page lost: JobFailed\n")
    assert "LOST  JobFailed service=batch" in told
    assert 'muted by rule "batch is noisy"' in told
    found = backtest("--json", code=1)
    (page,) = found["pages"]
    assert (page["what"], page["alert"], page["allowed"]) == ("lost", "JobFailed", False)
    assert page["was_at"].startswith("2026-03-01T10:2")
    (gone,) = found["incidents"]
    assert (gone["what"], gone["paged_was"], gone["paged_now"]) == ("gone", True, False)
    (verdict,) = found["verdicts"]
    assert (verdict["alert"], verdict["was"], verdict["now"], verdict["count"]) == ("JobFailed", "page", "muted", 1)
    assert found["was"]["counts"]["pages"] == found["now"]["counts"]["pages"] + 1
    assert found["was"]["commit"] == git(rules, "rev-parse", "HEAD")


def test_the_other_way_round_it_is_a_new_page(rules, backtest):
    mute(rules)
    git(rules, "add", ".")
    git(rules, "commit", "-qm", "mute")
    (page,) = backtest("--from", "HEAD", "--to", "HEAD~1", "--json")["pages"]
    assert (page["what"], page["alert"]) == ("new", "JobFailed")
    told = backtest("--to", "HEAD~1", "--most-new-pages", "0", code=1)
    assert told.startswith("FAILED: 1 new page, 0 allowed: JobFailed\n")


@pytest.mark.parametrize("by", ["alert", "mark", "was"])
def test_a_lost_page_may_be_allowed_by_name(rules, backtest, by):
    mute(rules)
    (page,) = backtest("--json", code=1)["pages"]
    found = backtest("--json", "--allow-lost-page", page[by])
    assert found["failed"] == []
    assert found["pages"][0]["allowed"]
    assert found["notes"] == []


def test_an_allowance_that_nothing_needs_is_told(backtest):
    assert 'no page of "Nothing" was lost' in backtest("--allow-lost-page", "Nothing")


def test_a_page_that_comes_later_closes_the_gate_only_if_asked(rules, backtest):
    (rules / "rules" / "triage.yaml").write_text("triage:\n  lone_page_after: 20m\n")
    (page,) = backtest("--json")["pages"]
    assert page["what"] == "later"
    assert "later  JobFailed service=batch" in backtest("--most-later", "10m")
    told = backtest("--most-later", "9m", code=1)
    assert told.startswith("FAILED: 1 page later than allowed: JobFailed\n")


def test_what_waits_where_the_history_ends_is_not_lost(rules, backtest):
    (rules / "rules" / "triage.yaml").write_text("triage:\n  lone_page_after: 20m\n")
    (page,) = backtest("--json", "--until", "2026-03-01T10:25:00Z")["pages"]
    assert page["what"] == "not_yet"
    assert page["now_at"] > "2026-03-01T10:25:00Z"


def test_a_higher_bar_lets_an_incident_open_by_the_page_of_its_first_alert_alone(rules, backtest):
    (rules / "rules" / "correlate.yaml").write_text("correlate:\n  least_alerts: 5\n")
    found = backtest("--json")
    assert found["incidents"] == []
    assert [page["what"] for page in found["pages"]] == ["later"]


def test_an_incident_falls_apart_where_trouble_hardly_travels(rules, backtest):
    (rules / "rules" / "correlate.yaml").write_text(
        "correlate:\n  edges:\n    calls: {p: 0.001, lag: 1s}\n    depends_on: {p: 0.001, lag: 1s}\n"
    )
    found = backtest("--json")
    (incident,) = found["incidents"]
    assert (incident["what"], len(incident["was"]), len(incident["now"])) == ("split", 1, 3)
    assert [page["what"] for page in found["pages"]] == ["later"]
    back = backtest("--from", str(rules), "--to", "HEAD", "--json")
    (incident,) = back["incidents"]
    assert (incident["what"], len(incident["was"]), len(incident["now"])) == ("merged", 3, 1)


def test_another_first_cause_is_told(rules, backtest):
    (rules / "rules" / "map.yaml").write_text(
        "map:\n  - name: services\n    match: ['service=~\".+\"']\n    entity: host/${labels.service}\n"
    )
    found = backtest("--json")
    (cause,) = [one for one in found["causes"] if "payments" in one["was_cause"]]
    assert cause["was_cause"] == "deploy c9 of service/payments"
    assert cause["now_cause"] != cause["was_cause"]


def test_runs_are_planned_by_mode(rules, backtest):
    (rules / "playbooks").mkdir()
    (rules / "playbooks" / "say.yaml").write_text(
        "playbook: say\nmode: enforce\nwhen: {incident: [opened]}\nsteps:\n"
        "  - {id: say, do: console.page, with: {text: 'hello'}}\n"
    )
    found = backtest("--json")
    runs = found["runs"]
    assert {(run["what"], run["playbook"], run["now_mode"], run["was_mode"]) for run in runs} == {
        ("new", "say", "enforce", None)
    }
    assert len(runs) == found["now"]["counts"]["runs"]["enforce"] == found["now"]["counts"]["incidents"]
    assert runs[0]["now_steps"] == ["say: console.page (done)"]


def test_no_rules_are_a_version_too(rules, backtest):
    mute(rules)
    found = backtest("--from", "none", "--json", "--allow-lost-page", "JobFailed")
    assert found["was"]["name"] == "no rules"
    assert any(verdict["now"] == "muted" for verdict in found["verdicts"])


def test_directories_are_versions_and_need_no_repository(rules, backtest, tmp_path):
    other = tmp_path / "other"
    (other / "rules").mkdir(parents=True)
    (other / "quell.yaml").write_text("{}\n")
    (other / "rules" / "mine.yaml").write_text(MUTED)
    (page,) = backtest("--to", str(other), "--json", code=1)["pages"]
    assert page["what"] == "lost"


def test_rules_without_a_quell_yaml_are_read_with_another(rules, backtest, tmp_path):
    (rules / "quell.yaml").rename(tmp_path / "quell.yaml")
    git(rules, "add", "-A", ".")
    git(rules, "commit", "-qm", "rules only")
    mute(rules)
    assert "name the one that its rules are read with: --config FILE" in backtest(code=2)
    assert backtest("-c", str(tmp_path / "quell.yaml"), code=1).startswith("FAILED: 1 page lost")


def test_times_are_the_span_of_the_history(rules, backtest):
    mute(rules)
    found = backtest("--from", "2026-03-01T10:40:00Z", "--json")
    assert found["was"]["name"].startswith("HEAD")
    assert found["pages"] == []
    assert found["from_time"] >= "2026-03-01T10:40:00.000Z"
    assert backtest("--from", "2026-03-01T10:00:00Z", "--to", "2026-03-01T10:15:00Z", "--json")["pages"] == []
    assert "--since" in backtest("--from", "2026-03-01T10:00:00Z", "--since", "7d", code=2)


def test_a_directory_is_no_time_whatever_it_is_called(rules, backtest, tmp_path, monkeypatch):
    shutil.copytree(rules, tmp_path / "7d")
    mute(rules)
    monkeypatch.chdir(tmp_path)
    assert backtest("--from", "7d", "--since", "2026-03-01T10:15:00Z", "--json", code=1)["was"]["name"] == "7d"


def test_what_was_under_way_before_is_known(rules, backtest):
    """The page is due within the span; the alert began before it."""
    mute(rules)
    assert backtest("--since", "2026-03-01T10:15:00Z", "--json", code=1)["pages"][0]["alert"] == "JobFailed"


def test_markdown_begins_with_the_summary_and_is_bounded(rules, backtest, tmp_path):
    mute(rules)
    out = tmp_path / "comment.md"
    assert backtest("--markdown", "--out", str(out), code=1).startswith("FAILED")
    text = out.read_text()
    assert text.startswith("<!-- quell backtest -->\n### ❌ quell backtest\n\n**1 page lost: JobFailed**\n")
    assert "<details open><summary>Pages: 1</summary>" in text
    assert "and 1 more" in backtest("--markdown", "--rows", "0", code=1)


def test_a_broken_version_is_named_with_its_place(rules, backtest):
    (rules / "rules" / "mine.yaml").write_text("mute: 7\n")
    assert "rules/mine.yaml:1:" in backtest(code=2)
    git(rules, "add", ".")
    git(rules, "commit", "-qm", "broken")
    assert "HEAD (" in backtest(code=2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--from", "nowhere"], '"nowhere" is neither a directory nor a revision'),
        (["--from", "--upload-pack=x"], "neither a directory nor a revision"),
        (["--since", "2030-01-01T00:00:00Z"], "the history holds no record of that time"),
        (["--json", "--markdown"], "not both"),
        (["--out", "x.md"], "goes with --markdown or --json"),
        (["--since", "soon"], "neither a duration such as 7d nor a time"),
    ],
)
def test_what_cannot_be_compared_has_an_exit_code_of_its_own(backtest, words, said):
    assert said in backtest(*words, code=2)


def test_without_history_it_says_where_to_get_some(backtest):
    told = backtest(code=2, history=False)
    assert "there is no such file" in told
    assert "--history FILE" in told


def test_the_journal_of_the_store_is_the_history(rules, backtest):
    store = open_store("sqlite:///quell.db", rules)
    for record in history():
        store.accept(Accepted(now=record.arrived, records=[record]))
    mute(rules)
    told = backtest("--since", "2026-03-01T10:05:00Z", code=1, history=False)  # beside the open store
    store.close()
    assert told.startswith("FAILED: 1 page lost: JobFailed\n")
    with closing(sqlite3.connect(rules / "quell.db")) as beside:
        assert beside.execute("SELECT count(*) FROM journal").fetchone() == (18,)
    assert "no record of that time" in backtest(code=2, history=False)  # the last 7 days
    assert START


def test_a_journal_in_postgresql_is_read_too(rules, backtest, postgres):
    url = postgres.new_store()
    store = open_store(url, rules)
    for record in history():
        store.accept(Accepted(now=record.arrived, records=[record]))
    settings = (rules / "quell.yaml").read_text().replace("sqlite:///quell.db", "env:QUELL_TEST_STORE")
    (rules / "quell.yaml").write_text(settings)
    mute(rules)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("QUELL_TEST_STORE", url)
        told = backtest("--since", "2026-03-01T10:05:00Z", code=1, history=False)
    store.close()
    assert told.startswith("FAILED: 1 page lost: JobFailed\n")


def test_lines_that_cannot_be_read_are_told(backtest, recorded):
    with recorded.open("a") as stream:
        stream.write("{nonsense\n")
    assert "1 lines could not be read" in backtest()
    assert "history.jsonl:19" in backtest("--strict", code=2)


def test_json_is_the_whole_difference(backtest):
    assert set(backtest("--json")) == set(Difference.__struct_fields__)
