from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quell.errors import BadPayload, ConnectorError, Misconfigured, NoAnswer, Refused, Unreachable
from quell.sdk.connector import Call, Context, Done
from quell.sdk.secret import Secret
from quell.sdk.testkit import NOW, FakeHttp, run
from quell_connectors.script import Script

USER = "nobody" if os.geteuid() == 0 else ""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory that the user of the scripts can reach, as those of tests' own cannot be reached by others."""
    made = Path(tempfile.mkdtemp(prefix="quell-scripts-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def script(folder: Path, body: str, name: str = "it", mode: int = 0o755, shell: str = "/bin/sh") -> None:
    path = folder / name
    path.write_text(f"#!{shell}\n{body}\n")
    path.chmod(mode)


def built(folder: Path | str, **given: Any) -> Any:
    options: dict[str, Any] = {"scripts": {"it": {}}, "user": USER, "token": Secret("t0ken-abc"), **given}
    return Script({"directory": str(folder), **options}, Context("ops", FakeHttp()))


def act(connector: Any, action: str = "run", *, dry_run: bool = False, timeout_s: float = 10.0, **params: Any) -> Done:
    call = Call("R-1/s/1", action, {"script": "it", **params}, NOW, dry_run, timeout_s)
    done: Done = run(connector.act(call))
    return done


def test_a_script_gets_its_arguments_as_they_are_and_no_shell(folder: Path) -> None:
    script(folder, 'for one in "$@"; do echo "<$one>"; done')
    nasty = ["a b", "$(id)", "; rm -rf /", "`id`", "ü\n", 7, 1.5, True]
    done = act(built(folder), args=nasty)
    assert done.output["stdout"] == "<a b>\n<$(id)>\n<; rm -rf />\n<`id`>\n<ü\n>\n<7>\n<1.5>\n<true>\n"
    assert done.sentence == "<true>"


def test_a_script_knows_only_what_it_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUELL_TEST_SECRET", "of quell itself")
    script(folder, "env | sort; cat; pwd; umask; grep NoNewPrivs /proc/self/status")
    done = act(built(folder, environment={"REGION": "eu"}), input={"service": "cart"})
    told = {
        line for line in done.output["stdout"].splitlines() if not line.startswith(("PWD=", "SHLVL=", "_=", "OLDPWD="))
    }
    assert told == {
        "LANG=C.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin", "REGION=eu", "QUELL_ACTION=run", "QUELL_DRY_RUN=0",
        "QUELL_KEY=R-1/s/1", "QUELL_TOKEN=***", '{"service":"cart"}/', "0077", "NoNewPrivs:\t1",
    }  # fmt: skip


def test_scripts_run_as_somebody_without_rights(folder: Path) -> None:
    if os.geteuid() != 0:
        script(folder, "id -un")
        with pytest.raises(Refused, match="exit code 126: quell cannot run"):
            act(built(folder, user="daemon"))
        return
    script(folder, "id -u; id -G; touch /etc/quell-was-here 2>/dev/null && echo written")
    with pytest.raises(Refused, match="exit code 1"):
        act(built(folder))
    script(folder, "id -u; id -G")
    assert act(built(folder)).output["stdout"].split() == ["65534", "65534"]
    with pytest.raises(Refused, match="quell runs as root: ops needs the option user, such as nobody; nothing was run"):
        act(built(folder, user=""))
    for wrong in ("root", "no-such-user"):
        with pytest.raises(Refused, match=r"exit code 126: quell cannot run .*"):
            act(built(folder, user=wrong))


def test_without_input_there_is_nothing_to_read_and_one_that_reads_nothing_does_no_harm(folder: Path) -> None:
    script(folder, "cat; echo end")
    assert act(built(folder)).output["stdout"] == "end\n"
    script(folder, "exec 0<&-; echo fine")
    assert act(built(folder), input={"much": "x" * 1_000_000}).sentence == "fine"


def test_json_is_read_and_output_is_bounded(folder: Path) -> None:
    script(folder, """echo '{"replicas": 3}'""")
    done = act(built(folder))
    assert done.output == {"code": 0, "stdout": '{"replicas": 3}\n', "json": {"replicas": 3}}
    assert done.sentence == 'script "it" ended well'
    script(folder, "yes 0123456789 | head -c 3000000; yes oops | head -c 3000000 >&2; echo last")
    output = act(built(folder)).output
    assert len(output["stdout"]) == 16 * 1024
    assert output["stdout"].endswith("last\n")


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        ("echo one >&2; echo two >&2; echo; echo t0ken-abc >&2; echo four >&2; exit 3", Refused,
         r'"it" ended with exit code 3: two / \*\*\* / four$'),
        ("echo why; exit 1", Refused, r'"it" ended with exit code 1: why$'),
        ("exit 2", Refused, r'"it" ended with exit code 2$'),
        ("echo busy >&2; exit 75", Unreachable, r'"it" asks to be run later \(exit code 75\): busy'),
        ("kill -9 $$", NoAnswer, r'"it" was ended by signal 9'),
    ],
)  # fmt: skip
def test_how_it_ended_is_told_apart(folder: Path, body: str, kind: type[Exception], said: str) -> None:
    script(folder, body)
    with pytest.raises(kind, match=said) as caught:
        act(built(folder))
    assert type(caught.value) is kind


def gone(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


def all_gone(file: Path) -> bool:
    end = time.monotonic() + 2.0
    pids = [int(line) for line in file.read_text().split()]
    while time.monotonic() < end and not all(gone(pid) for pid in pids):
        time.sleep(0.01)
    return all(gone(pid) for pid in pids)


def notes(folder: Path) -> Path:
    file = folder / "pids"
    file.touch()
    file.chmod(0o666)
    return file


@pytest.mark.parametrize("stubborn", ["", "trap '' TERM"])
def test_its_time_limit_ends_it_and_all_it_started(folder: Path, stubborn: str) -> None:
    file = notes(folder)
    script(folder, f"{stubborn}\nsleep 60 & echo $! >>{file}; echo $$ >>{file}; echo hello; sleep 60; sleep 60")
    began = time.monotonic()
    with pytest.raises(NoAnswer, match=r'"it" did not end within 0\.5 s and was killed: hello'):
        act(built(folder, scripts={"it": {"timeout": "500ms"}}))
    assert time.monotonic() - began < 2.0
    assert all_gone(file)


def test_the_time_of_the_step_is_a_limit_too(folder: Path) -> None:
    script(folder, "sleep 60")
    with pytest.raises(NoAnswer, match=r"did not end within 0\.38 s"):
        act(built(folder), timeout_s=0.4)


def test_what_it_leaves_behind_is_ended_and_not_waited_for(folder: Path) -> None:
    file = notes(folder)
    script(folder, f"sleep 60 & echo $! >{file}; setsid sh -c 'echo $$ >>{file}; sleep 2' & sleep 0.1; echo done")
    began = time.monotonic()
    assert act(built(folder)).sentence == "done"
    assert time.monotonic() - began < 1.5
    file.write_text(file.read_text().split()[0])
    assert all_gone(file)


def test_a_step_that_is_given_up_ends_the_script(folder: Path) -> None:
    file = notes(folder)
    script(folder, f"echo $$ >{file}; sleep 60")

    async def given_up() -> None:
        task = asyncio.create_task(built(folder).act(Call("k", "run", {"script": "it"}, NOW)))
        while not file.read_text():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(given_up())
    assert all_gone(file)


def test_only_what_nobody_else_can_change_is_run(folder: Path) -> None:
    script(folder, "echo fine")

    def refused(why: str, place: Path | str = folder, **params: Any) -> None:
        with pytest.raises(Refused, match=why):
            act(built(place), **params)

    (folder / "it").chmod(0o775)
    refused("it can be changed by others than root and quell; nothing was run")
    (folder / "it").chmod(0o4755)
    refused("would run with the rights of its owner")
    (folder / "it").chmod(0o644)
    refused("it is not executable")
    (folder / "it").chmod(0o755)
    folder.chmod(0o777)
    refused(f"{folder} can be changed by others")
    folder.chmod(0o1777)
    refused(f"{folder} can be changed by others")
    folder.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(folder / "it", 65534, 65534)
        refused("it can be changed by others than root and quell")
        os.chown(folder / "it", 0, 0)
    (folder / "it").rename(folder / "real")
    (folder / "it").symlink_to(folder / "real")
    refused("it is no file")
    (folder / "it").unlink()
    refused("it cannot be looked at: No such file or directory; nothing was run")
    (folder / "linked").symlink_to(folder)
    refused("linked is no directory", folder / "linked")
    refused("is no absolute path", "scripts")
    for name in ("../it", "/bin/sh", "other", ""):
        refused(f'"{name}" is none of the declared scripts: it; nothing was run', script=name)


def test_arguments_that_look_like_options_must_be_meant(folder: Path) -> None:
    script(folder, 'echo "$1"')
    with pytest.raises(Refused, match='"--force" would be read as an option; declare dashes: true if it is meant'):
        act(built(folder), args=["--force"])
    assert act(built(folder, scripts={"it": {"dashes": True}}), args=["--force"]).sentence == "--force"
    for args, why in (
        (["a\0b"], "holds a NUL"),
        (["x" * 5000], "is longer than 4096"),
        (["x"] * 65, "65 are too many"),
    ):
        with pytest.raises(Refused, match=why):
            act(built(folder), args=args)


def test_no_action_promises_more_than_the_script_keeps(folder: Path) -> None:
    script(folder, "echo $QUELL_ACTION")
    kinds = {
        "read": {"effect": "read"}, "tell": {"effect": "tell"}, "state": {"repeat": "state"}, "once": {},
    }  # fmt: skip
    allowed = {
        "read": {"run", "ensure", "tell", "read"}, "tell": {"run", "tell"}, "state": {"run", "ensure"}, "once": {"run"},
    }  # fmt: skip
    for kind, declared in kinds.items():
        connector = built(folder, scripts={"it": declared})
        for action in ("run", "ensure", "tell", "read"):
            if action in allowed[kind]:
                assert act(connector, action).sentence == action
            else:
                with pytest.raises(Refused, match=f'"it" is declared effect: .*: {action} may not run it; use run'):
                    act(connector, action)
    with pytest.raises(Refused, match='no action "explode"'):
        act(built(folder), "explode")


def test_a_dry_run_calls_only_what_knows_dry_runs(folder: Path) -> None:
    file = notes(folder)
    script(folder, f'echo ran >>{file}; echo "$1 $2 $QUELL_DRY_RUN"')
    done = act(built(folder), dry_run=True, args=["cart"])
    assert done.sentence == f"would run {folder}/it cart" + (f" as {USER}" if USER else "")
    assert file.read_text() == ""
    assert (
        act(built(folder, scripts={"it": {"dry_run": True}}), dry_run=True, args=["cart"]).sentence
        == "--dry-run cart 1"
    )
    assert act(built(folder, scripts={"it": {"effect": "read"}}), "read", dry_run=True).sentence == "0"
    (folder / "it").chmod(0o644)
    with pytest.raises(Refused, match="is not executable"):
        act(built(folder), dry_run=True)


def test_before_and_undo_are_scripts_too(folder: Path) -> None:
    script(folder, 'echo "set $1"')
    script(folder, """echo '{"already": '"$1"', "old": 3}'""", "look")
    script(folder, 'echo "back $1"', "back")
    scripts = {
        "it": {"repeat": "state", "before": "look", "undo": "back"},
        "look": {"effect": "read"}, "back": {"repeat": "keyed"},
    }  # fmt: skip
    connector = built(folder, scripts=scripts)
    assert act(connector, "state", args=["false"]).output == {"already": False, "old": 3}
    assert act(connector, "state", args=["true"], dry_run=True).output["already"] is True
    assert act(connector, "ensure", args=["5"]).sentence == "set 5"
    assert act(connector, "undo", args=["5"]).sentence == "back 5"
    assert act(connector, "state", script="back").output == {"already": False}
    with pytest.raises(Refused, match='"look" declares no undo; nothing was run'):
        act(connector, "undo", script="look")
    script(folder, "echo no json", "look")
    with pytest.raises(BadPayload, match='"look" printed no JSON object'):
        act(connector, "state")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"../it": {}}, 'scripts: "../it" is no name of a file'),
        ({"it": []}, "write a mapping"),
        ({"it": {"efect": "read"}}, 'unknown key "efect"; there are effect, repeat'),
        ({"it": {"effect": "none"}}, 'effect: "none" is not one of read, tell, change'),
        ({"it": {"repeat": "often"}}, 'repeat: "often" is not one of'),
        ({"it": {"dry_run": "yes"}}, "dry_run: write true or false"),
        ({"it": {"undo": 7}}, "undo: write the name of a script"),
        ({"it": {"timeout": "soon"}}, 'timeout: "soon" is no length of time'),
        ({"it": {"timeout": 0}}, 'timeout: "0" is no length of time'),
        ({"it": {"timeout": True}}, 'timeout: "True" is no length of time'),
        ({"it": {"before": "other"}}, 'before: "other" is not declared here with effect: read'),
        ({"it": {"undo": "it"}}, 'undo: "it" is not declared here with repeat: state'),
    ],
)
def test_a_wrong_declaration_is_told_at_once(given: Any, said: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        built("/nonexistent", scripts=given)
    assert any(said in problem.message for problem in caught.value.problems)


def test_what_the_environment_may_not_hold_is_told_at_once() -> None:
    for name in ("QUELL_KEY", "A B", ""):
        with pytest.raises(Misconfigured, match=f'environment: "{name}" is no name to give'):
            built("/nonexistent", environment={name: "x"})


@pytest.mark.parametrize(("timeout", "seconds"), [(30, 30.0), ("2m", 120.0), ("1h", 3600.0), (1.5, 1.5), (None, 60.0)])
def test_time_limits_are_read(timeout: Any, seconds: float) -> None:
    connector = built("/nonexistent", scripts={"it": {} if timeout is None else {"timeout": timeout}})
    assert connector._scripts["it"].timeout_s == seconds


def test_no_process_at_all_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(folder, "echo fine")
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    with pytest.raises(
        ConnectorError, match=r"no process could be started \(No such file or directory\); nothing was run"
    ):
        act(built(folder))


def test_what_is_no_text_is_told_as_far_as_it_is(folder: Path) -> None:
    script(folder, r"printf '\377\376 half'")
    assert json.dumps(dict(act(built(folder)).output))
