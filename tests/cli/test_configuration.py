"""init, check, schema, explain, replay: commands that need no daemon."""

import gzip
import hashlib
import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from quell.cli.main import run

STORM = Path(__file__).parents[2] / "examples" / "storm"


@pytest.fixture
def started(tmp_path, capsys):
    assert run(["init", str(tmp_path / "conf")]) == 0
    return tmp_path / "conf", capsys.readouterr().out


def test_init_writes_a_configuration_that_is_fine(started, capsys):
    folder, said = started
    assert f"quell serve -c {folder / 'quell.yaml'}" in said
    assert run(["check", str(folder)]) == 0
    said = capsys.readouterr().out
    assert f"{folder}: fine (" in said
    assert "0 entities" in said
    topology = folder / "rules" / "topology.yaml"
    topology.write_text("topology:\n  entities: [{entity: service/checkout}]\n")
    assert run(["check", str(folder)]) == 0
    assert ", 1 entity, " in capsys.readouterr().out
    assert run(["check", str(folder / "quell.yaml")]) == 0


def test_init_shows_the_token_once_and_keeps_its_hash(started):
    folder, said = started
    (token,) = re.findall(r"qll_admin_[0-9a-f]{64}", said)
    kept = (folder / "tokens.yaml").read_text()
    assert token not in kept
    assert yaml.safe_load(kept)["tokens"][0]["sha256"] == hashlib.sha256(token.encode()).hexdigest()
    assert stat.S_IMODE((folder / "tokens.yaml").stat().st_mode) == 0o600


def test_init_overwrites_nothing(started, capsys):
    folder, _ = started
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert run(["init", str(folder)]) == 2
    captured = capsys.readouterr()
    assert "quell.yaml: the file is there already; nothing was written" in captured.err
    assert "qll_" not in captured.out
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_check_shows_every_problem_with_its_place(started, capsys):
    folder, _ = started
    path = folder / "playbooks" / "open-ticket.yaml"
    path.write_text(
        path.read_text().replace("do: ticket.open", "do: ticket.opne").replace("timeout: 30s", "timeout: 30")
    )
    assert run(["check", str(folder)]) == 2
    said = capsys.readouterr().err
    assert re.search(r'playbooks/open-ticket\.yaml:\d+:\d+: unknown action "ticket\.opne"', said)
    assert 'did you mean "ticket.open"?' in said
    assert re.search(r"playbooks/open-ticket\.yaml:\d+:\d+: .*30", said)
    assert said.rstrip().endswith("2 problems in 1 file")


def test_check_sets_up_every_connector(started, capsys):
    folder, _ = started
    path = folder / "quell.yaml"
    path.write_text(path.read_text().replace("sources:\n", "sources:\n  hook: {use: webhook, mapping: {nmae: a}}\n"))
    assert run(["check", str(folder)]) == 2
    said = capsys.readouterr().err
    assert re.search(r'quell\.yaml:\d+:1: source "hook" cannot be set up: mapping: "nmae" is not known', said)


def test_check_warns_of_what_is_never_asked(started, capsys):
    folder, _ = started
    path = folder / "quell.yaml"
    extra = 'sources:\n  prom: {use: prometheus, url: "http://127.0.0.1:9090"}\n'
    path.write_text(path.read_text().replace("sources:\n", extra))
    assert run(["check", str(folder)]) == 0
    said = capsys.readouterr().err
    assert "warning: quell.yaml:" in said
    assert 'source "prom" (prometheus) is never asked for news: it has no "every"' in said
    path.write_text(path.read_text().replace(':9090"}', ':9090", every: 30s}'))
    assert run(["check", str(folder)]) == 0
    assert capsys.readouterr().err == ""


def test_check_of_nothing_says_how_to_begin(tmp_path, capsys):
    assert run(["check", str(tmp_path)]) == 2
    assert f'run "quell init {tmp_path}"' in capsys.readouterr().err


def test_check_of_the_starters_loads_neither_core_nor_daemon(started):
    """That is what keeps it quick (`benchmarks/start.py` measures how quick)."""
    folder, _ = started
    heavy = ("numpy", "sklearn", "networkx", "sqlalchemy", "fastapi", "quell.core.engine", "quell.daemon.serve")
    code = (
        f"import sys, quell.cli.main as m; m.run(['check', {str(folder)!r}]); "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert shown.stdout.splitlines()[-1] == "[]"


def test_commands_import_only_what_they_need():
    code = (
        "import sys, quell.cli.main as m; m.run(['incidents', '--help']); "
        "print([n for n in ('fastapi', 'sklearn', 'scipy', 'sqlalchemy', 'aiohttp', 'pydantic') if n in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert shown.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", ["config", "rules", "playbook", "tokens", "people"])
def test_schema_prints_json_schema(name, capsys):
    assert run(["schema", name]) == 0
    assert json.loads(capsys.readouterr().out)["$schema"].startswith("https://json-schema.org/")


def test_schema_all_writes_files(tmp_path, capsys):
    assert run(["schema", "--all", str(tmp_path / "schemas")]) == 0
    assert {path.name for path in (tmp_path / "schemas").iterdir()} == {
        "config.schema.json", "rules.schema.json", "playbook.schema.json", "test.schema.json",
        "tokens.schema.json", "people.schema.json", "prediction.schema.json", "profile.schema.json",
    }  # fmt: skip


def test_schema_of_nothing_and_of_the_unknown(capsys):
    assert run(["schema"]) == 1
    assert "give the NAME of one schema, or --all DIR" in capsys.readouterr().err
    assert run(["schema", "playbok"]) == 1
    assert 'no schema "playbok"; did you mean "playbook"?' in capsys.readouterr().err


def test_explain_lists_what_is_installed(capsys):
    assert run(["explain", "connectors"]) == 0
    assert "alertmanager" in capsys.readouterr().out
    assert run(["explain", "connectors", "ticket"]) == 0
    shown = capsys.readouterr().out
    assert "ticket.open" in shown
    assert "search_path" in shown
    assert run(["explain", "actions", "ticket."]) == 0
    shown = capsys.readouterr().out
    assert "ticket.comment" in shown
    assert "console.print" not in shown
    assert run(["explain", "connectors", "nothing"]) == 1
    assert 'no connector "nothing" is installed; there are: airflow, alertmanager' in capsys.readouterr().err
    assert run(["explain", "actions", "nothing."]) == 1


def test_a_replay_needs_no_secrets(started, tmp_path, capsys, monkeypatch):
    folder, _ = started
    path = folder / "quell.yaml"
    secrets = (
        "sources:\n"
        '  pagerduty: {use: pagerduty, routing_key: "env:QUELL_NOT_THERE"}\n'
        "  hook: {use: webhook, auth: {hmac: {secret: 'file:not-there', header: x-s}}, mapping: {name: body.name}}\n"
    )
    text = path.read_text().replace("sources:\n", secrets).replace("    # token: env:", "    token: env:")
    path.write_text(text.replace("sqlite:///quell.db", "env:QUELL_STORE_NOT_THERE"))
    assert run(["check", str(folder)]) == 2
    assert "environment variable QUELL_TICKET_TOKEN is not set" in capsys.readouterr().err
    stream = tmp_path / "one.jsonl"
    stream.write_text('{"kind": "alert", "at": 1772359200, "status": "firing", "labels": {"alertname": "a"}}\n')
    assert run(["replay", str(stream), "--config", str(folder), "--out", str(tmp_path / "r")]) == 0
    assert "1 records, 1 firing event" in capsys.readouterr().out
    path.write_text(path.read_text().replace("env:QUELL_TICKET_TOKEN", "in-the-file"))
    assert run(["replay", str(stream), "--config", str(folder), "--out", str(tmp_path / "r")]) == 2
    assert "a secret may not stand in the file itself" in capsys.readouterr().err


def test_replay_of_the_example_with_the_starter(started, tmp_path, capsys):
    folder, _ = started
    out = tmp_path / "result.jsonl"
    assert run(["replay", str(STORM / "stream.jsonl.gz"), "--config", str(folder), "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert f"written to {out}" in captured.out
    results = [json.loads(line) for line in out.read_text().splitlines()]
    incidents = [each for each in results if each["kind"] == "incident_result" and not each["withdrawn"]]
    assert 0 < len(incidents) < 10
    assert any(each["suspects"][0]["change"] for each in incidents if each["suspects"])
    assert {each["mode"] for each in results if each["kind"] == "run_result"} <= {"shadow", "propose"}


def test_replay_says_what_it_left_out_and_strict_stops(tmp_path, capsys):
    stream = tmp_path / "in.jsonl"
    stream.write_text('nonsense\n{"kind": "tick", "at": 5}\n')
    words = ["replay", str(stream), "--out", str(tmp_path / "out.jsonl")]
    assert run(words) == 0
    captured = capsys.readouterr()
    assert f"{stream}:1:1: not JSON" in captured.err
    assert "1 problem in what was replayed" in captured.err
    assert captured.out.startswith("1 records, 0 firing events")
    assert run([*words, "--strict"]) == 2
    assert "nothing was replayed" in capsys.readouterr().err


def test_what_a_recorded_line_holds_is_shown_and_not_obeyed(tmp_path, capsys):
    stream = tmp_path / "in.jsonl"
    stream.write_text('{"kind": "a\\u009b2Jb\\u0007", "at": 5}\n')
    words = ["replay", str(stream), "--out", str(tmp_path / "out.jsonl")]
    for more in ([], ["--strict"]):
        run([*words, *more])
        said = capsys.readouterr().err
        assert f'{stream}:1:1: unknown kind "a' in said
        assert all(sign.isprintable() or sign == "\n" for sign in said)


def test_replay_refuses_what_cannot_work_before_it_begins(tmp_path, capsys):
    stream = tmp_path / "in.jsonl"
    stream.write_text("")
    assert run(["replay", str(stream), "--out", str(tmp_path / "no" / "out.jsonl")]) == 1
    assert "is not a directory; nothing was replayed" in capsys.readouterr().err
    assert run(["replay", str(stream), "--out", str(tmp_path / "o"), "--settle", "90"]) == 2
    assert '"90" has no unit' in capsys.readouterr().err


def test_the_example_holds_nothing_that_tells_the_answer():
    text = gzip.decompress((STORM / "stream.jsonl.gz").read_bytes()).decode()
    assert len(text.splitlines()) > 100
    assert "event_id" not in text
    assert (STORM / "stream.jsonl.gz").stat().st_size < 400_000


def test_answers_for_programs(started, capsys):
    folder, _ = started

    def answer(*words, code=0):
        assert run([*words, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    assert set(answer("version")) == {"version"}
    fine = answer("check", str(folder))
    assert (fine["fine"], fine["problems"], fine["playbooks"]) == (True, [], 21)
    connectors = answer("explain", "connectors")
    assert {"http", "alertmanager"} <= {connector["name"] for connector in connectors}
    (http,) = answer("explain", "connectors", "http")
    assert (http["can"], [action["name"] for action in http["actions"]]) == (["act"], ["read", "request", "put"])
    (request,) = answer("explain", "actions", "http.request")
    assert (request["name"], request["repeat"]) == ("http.request", "never")
    assert next(each for each in request["params"] if each["name"] == "url")["required"]
    path = folder / "rules" / "wrong.yaml"
    path.write_text("mute: 7\n")
    wrong = answer("check", str(folder), code=2)
    assert wrong["fine"] is False
    assert [(problem["line"], bool(problem["message"])) for problem in wrong["problems"]] == [(1, True)]


def test_replay_counts_what_it_left_out(tmp_path, capsys):
    (tmp_path / "in.jsonl").write_text('{"kind": "tick", "at": 1}\nnothing\n')
    words = ["replay", str(tmp_path / "in.jsonl"), "--out", str(tmp_path / "out.jsonl")]
    assert run(words) == 0
    assert capsys.readouterr().out.endswith("; left out 1 that could not be read\n")
    (tmp_path / "out.jsonl").unlink()
    assert run([*words, "--strict"]) == 2
    assert not (tmp_path / "out.jsonl").exists()
