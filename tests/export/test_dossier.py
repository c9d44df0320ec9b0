"""Everything about one model in a file that proves itself: what is in it, and that tampering is found."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from shutil import copytree
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from core.watching import Watched
from quell.cli.main import cli
from quell.daemon.saved import packed
from quell.errors import ExportError
from quell.export.compared import ToldAct, ToldPerform, ToldResult, ToldRun, Trail
from quell.export.proof import AUDIT, MANIFEST, proven
from quell.model.decision import Perform
from quell.model.detect import Burn, BurnRate, DetectRule
from quell.model.provenance import Promotion, Provenance, Version
from quell.model.records import ChangeRecord, DistributionRecord, VersionRecord
from quell.model.rulebook import Rulebook
from quell.model.run import Approval
from quell.model.state import State
from quell.store.codec import seal_pieces
from quell.store.opening import open_store
from quell.store.port import Accepted, Turn
from store.values import accepted, audit, finished, incident, run

MODEL = "model/fraud"
SECRET = "s3cret-of-the-tests"


def kept(folder: Path) -> None:
    """A store with a model's life, and with something else."""
    (folder / "quell.yaml").write_text(
        "store: sqlite:///quell.db\nsources:\n  slack: {use: slack, bot_token: env:REL_TOKEN}\n"
    )
    store = open_store("sqlite:///quell.db", folder)
    store.accept(accepted(1, 2))
    store.accept(Accepted(now=1001.0, records=[
        ChangeRecord(at=1000.5, type="model", entity=MODEL, revision="43", previous="42", author="ada"),
        VersionRecord(at=1000.4, entity=MODEL, version="43", commit="abc", inputs={"dataset/payments": "7"}),
        DistributionRecord(at=1000.6, entity=MODEL, field="score", count=3, samples=["ada@example.org"]),
        ChangeRecord(at=1000.5, type="model", entity="model/other", revision="9"),
    ]))  # fmt: skip
    approval = Approval(step="ask", asked_at=1002.0, expires_at=2000.0, bound_to="beef", approved_by=("bo",))
    deed = Perform(at=1003.0, key="R-1/back/1", action="mlflow.promote", params={}, effect="change", repeat="state",
                   run="R-1", incident="INC-1")  # fmt: skip
    store.commit(Turn(
        seq=2,
        incidents=[incident("INC-1", entities=(MODEL, "kpi/approvals")), incident("INC-2", entities=("service/x",))],
        runs=[run("R-1", incident="INC-1", approval=approval, state="done"), run("R-2", incident="INC-2")],
        intents=[deed],
        said={deed.key: "mlflow.promote"},
        audits=[
            audit(1001.0, "take_rules", target="abc123"),
            audit(1002.0, "ack", target="INC-2", detail=f"said {SECRET}"),
            audit(1002.5, "approve", who="bo", target="R-1"),
        ],
    ))  # fmt: skip
    store.begin_act(deed.key)
    store.finish_act(finished(deed.key, sentence="champion means 42"))
    known = Provenance(
        told_at=1000.0, versions=[Version(version="43", at=1000.4, commit="abc")],
        promotions=[Promotion(at=1000.5, version="43", alias="champion", previous="42", by="ada")],
    )  # fmt: skip
    state = State(provenance={MODEL: known})
    store.save_snapshot(2, seal_pieces(packed(Rulebook(), [msgspec.msgpack.encode(state)])))
    store.close()


def quell(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words), standalone_mode=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dossier")
    kept(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REL_TOKEN", SECRET)
        done = quell("export", "--about", MODEL, "-c", str(folder), "-o", str(folder / "fraud.zip"))
    assert done.exception is None, done.output
    assert f"hash of it all: {proven(folder / 'fraud.zip').digest}; note it elsewhere" in done.output
    return folder


@pytest.fixture
def file(made: Path, tmp_path: Path) -> Path:
    copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "fraud.zip"


def lines(file: Path, name: str) -> list[dict[str, Any]]:
    with zipfile.ZipFile(file) as archive:
        return [msgspec.json.decode(line) for line in archive.read(name).splitlines()]


def test_all_about_the_model_is_in_it_and_nothing_else(file: Path) -> None:
    told = lines(file, "versions.jsonl")
    assert [one["what"] for one in told] == ["version", "promotion"]
    assert told[1]["told"]["by"] == "ada"
    records = lines(file, "records.jsonl")
    assert [(one["kind"], one["entity"]) for one in records] == [
        ("change", MODEL), ("version", MODEL), ("distribution", MODEL),
    ]  # fmt: skip
    assert "samples" not in records[2]
    assert [one["id"] for one in lines(file, "incidents.jsonl")] == ["INC-1"]
    (told_run,) = lines(file, "runs.jsonl")
    assert told_run["approval"]["approved_by"] == ["bo"]
    assert told_run["approval"]["bound_to"] == "beef"
    assert [one["perform"]["key"] for one in lines(file, "acts.jsonl")] == ["R-1/back/1"]
    with zipfile.ZipFile(file) as archive:
        manifest = msgspec.json.decode(archive.read(MANIFEST))
        assert SECRET not in "".join(archive.read(name).decode() for name in archive.namelist())
    rows = {one["n"]: one["audit"] for one in lines(file, AUDIT)}
    about = {rows[n]["what"] for n in manifest["rows_about"]}
    assert about == {"take_rules", "approve", "act"}
    assert [rows[n]["what"] for n in manifest["masked_rows"]] == ["ack"]


def test_it_verifies_without_a_store_or_a_daemon(file: Path, tmp_path: Path) -> None:
    (tmp_path / "quell.db").unlink()
    done = quell("audit", "verify", str(file))
    assert done.exception is None
    assert f"is as it was written: all about {MODEL}" in done.output
    assert "1 rows held a secret" in done.output
    proof = proven(file)
    for known in (proof.digest, proof.head, lines(file, AUDIT)[0]["hash"]):
        assert proven(file, known).whole
    assert proven(file, "0123").problems == ["neither the file nor a row of its audit trail has the hash 0123"]


def rewritten(file: Path, change: Callable[[dict[str, bytes]], None], *, sealed: bool = False) -> Path:
    """The file with a change; ``sealed``: with a manifest that fits."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    if sealed:
        manifest = msgspec.json.decode(parts[MANIFEST])
        for one in manifest["files"]:
            one["sha256"] = sha256(parts[one["name"]]).hexdigest()
        parts[MANIFEST] = msgspec.json.encode(manifest)
    other = file.with_name("other.zip")
    with zipfile.ZipFile(other, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return other


@pytest.mark.parametrize("name", ["versions.jsonl", "incidents.jsonl", "runs.jsonl", "acts.jsonl", AUDIT])
def test_a_changed_file_is_found(file: Path, name: str) -> None:
    def change(parts: dict[str, bytes]) -> None:
        parts[name] = parts[name].replace(b"1", b"2", 1)

    other = rewritten(file, change)
    assert proven(other).problems == [f"{name} was changed after it was written"]
    done = quell("audit", "verify", str(other))
    assert done.exception is not None
    assert "it proves nothing" in str(done.exception)


def _who(parts: dict[str, bytes]) -> None:
    parts[AUDIT] = parts[AUDIT].replace(b'"bo"', b'"eve"')


def _without_first(parts: dict[str, bytes]) -> None:
    parts[AUDIT] = parts[AUDIT].partition(b"\n")[2]


def _without_last(parts: dict[str, bytes]) -> None:
    parts[AUDIT] = b"".join(line + b"\n" for line in parts[AUDIT].splitlines()[:-1])


def _approved_by(parts: dict[str, bytes]) -> None:
    parts["runs.jsonl"] = parts["runs.jsonl"].replace(b'"bo"', b'"eve"')


def _masked(parts: dict[str, bytes]) -> None:
    _who(parts)
    manifest = msgspec.json.decode(parts[MANIFEST])
    manifest["masked_rows"] = [row["n"] for row in map(msgspec.json.decode, parts[AUDIT].splitlines())]
    parts[MANIFEST] = msgspec.json.encode(manifest)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_who, "was changed after it was written"),
        (_without_first, "audit row 1 is missing"),
        (_without_last, "the audit trail ends at row"),
        (_approved_by, "run R-1 names eve, but no row of the trail says approve"),
        (_masked, "is said to have held a secret, and shows none"),
    ],
)
def test_a_change_under_a_manifest_made_anew_is_found_by_the_chain(
    file: Path, change: Callable[[dict[str, bytes]], None], said: str
) -> None:
    (problem,) = proven(rewritten(file, change, sealed=True)).problems
    assert said in problem


def test_more_and_less_than_was_written_is_found(file: Path) -> None:
    assert proven(rewritten(file, lambda parts: parts.update({"more.txt": b"x"}))).problems == [
        "more.txt is no part of it"
    ]
    assert "runs.jsonl is not in the file" in proven(rewritten(file, lambda parts: parts.pop("runs.jsonl"))).problems  # type: ignore[arg-type, return-value]


def test_what_is_no_such_file_is_said(file: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.zip"
    for data in (b"", b"PK no", file.read_bytes()[:-40]):
        plain.write_bytes(data)
        with pytest.raises(ExportError, match="auditor"):
            proven(plain)


def test_an_unknown_entity_leaves_nothing_behind(file: Path, tmp_path: Path) -> None:
    done = quell("export", "--about", "model/none", "-c", str(tmp_path), "-o", str(tmp_path / "none.zip"))
    assert "nothing is known of" in str(done.exception)
    assert not (tmp_path / "none.zip").exists()
    assert file.exists()


def _drop_run(parts: dict[str, bytes]) -> None:
    parts["runs.jsonl"] = b""


def _drop_act(parts: dict[str, bytes]) -> None:
    parts["acts.jsonl"] = b""


def _other_act(parts: dict[str, bytes]) -> None:
    parts["acts.jsonl"] = parts["acts.jsonl"].replace(b"mlflow.promote", b"mlflow.tag")


def _made_up_act(parts: dict[str, bytes]) -> None:
    parts["acts.jsonl"] += parts["acts.jsonl"].replace(b"R-1/back/1", b"R-1/back/2")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_drop_run, "run R-1 was approved or rejected, and is not in runs.jsonl"),
        (_drop_act, "act R-1/back/1 is in the trail, and not in acts.jsonl"),
        (_other_act, "act R-1/back/1 is told as mlflow.tag, but the trail says mlflow.promote"),
        (_made_up_act, "act R-1/back/2 is told, but no row of the trail says so"),
    ],
)
def test_runs_and_acts_are_compared_with_the_trail(
    file: Path, change: Callable[[dict[str, bytes]], None], said: str
) -> None:
    assert said in proven(rewritten(file, change, sealed=True)).problems


def test_what_became_of_an_act_is_compared_with_the_trail() -> None:
    trail = Trail()
    for what, detail in (("act", 'mlflow.promote {"model":"fraud"}'), ("act done", "champion means 42")):
        trail.take(audit(1.0, what, who="quell", target="R-1/back/1", detail=detail), about=True)
    perform = ToldPerform(key="R-1/back/1", action="mlflow.promote")

    def misfits(state: str, sentence: str) -> list[str]:
        return [*trail.misfits([], [ToldAct(perform, state, ToldResult(sentence))], ())]

    assert misfits("done", "champion means 42") == []
    assert misfits("done", "champion means 42, at ***") == []
    for state, sentence in (("failed", "champion means 42"), ("done", "champion means 43")):
        assert misfits(state, sentence) == ["act R-1/back/1 ended otherwise: the trail says done, champion means 42"]
    assert [*trail.misfits([ToldRun("R-1")], [], ["R-1/back/1"])] == [], "the store had it no more"


def test_service_levels_are_told_and_can_be_asked_for_themselves(tmp_path: Path) -> None:
    rule = DetectRule(
        name="right", metric="latency", labels={"slo": "right"}, every_s=60.0,
        when=Burn(measured="windows", objective=0.9, period_s=86_400.0, at_most=0.5,
                  rates=(BurnRate(rate=5.0, over_s=1200.0, confirm_s=120.0),)),
    )  # fmt: skip
    scene = Watched(rule)
    scene.feed([0.1] * 30 + [0.9] * 30)
    (alert,) = scene.firing
    (tmp_path / "quell.yaml").write_text("store: sqlite:///quell.db\nsources: {}\n")
    store = open_store("sqlite:///quell.db", tmp_path)
    store.accept(accepted(1, 1))
    store.commit(Turn(seq=1, incidents=[incident(alert.incident or "INC-9", entities=()), incident("INC-2")]))
    store.save_snapshot(1, seal_pieces(packed(scene.rulebook, [scene.engine.snapshot()])))
    store.close()
    for about in ("slo/right", "service/checkout"):
        out = tmp_path / "out.zip"
        done = quell("export", "--about", about, "-c", str(tmp_path), "-o", str(out))
        assert done.exception is None, done.output
        (level,) = (one["told"] for one in lines(out, "versions.jsonl") if one["what"] == "service level")
        assert (level["slo"], level["entity"], level["standing"]) == ("right", "service/checkout", "burning")
        assert [one["fingerprint"] for one in lines(out, "alerts.jsonl")] == [alert.fingerprint]
        out.unlink()
    assert quell("export", "--about", "slo/none", "-c", str(tmp_path), "-o", str(out)).exception is not None
