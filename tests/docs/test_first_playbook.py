"""The tutorial of the first playbook does what it says: every file written, every command run, every output shown."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ports import free_port

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "first-playbook.md"
BLOCK = re.compile(r"^```(yaml|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Reader:
    """Somebody who does what the page says, in a shell of their own."""

    def __init__(self, place):
        self.place = place
        self.daemon = None
        self.done = []
        programs = place / "bin"
        programs.mkdir()
        quell = programs / "quell"
        quell.write_text(f'#!/bin/sh\nexec {sys.executable} -m quell.cli "$@"\n')
        quell.chmod(0o755)
        self.port = free_port()
        self.environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "QUELL_URL": f"http://127.0.0.1:{self.port}",
        }
        self.here = place
        self.said = ""

    def write(self, text):
        name = re.match(r"# (\S+)\n", text)[1]
        (self.here / name).write_text(text)

    def type(self, text):
        """Runs the commands of a block; lines that are no command are what must be shown, but for times."""
        for command, shown in _commands(text):
            if command.startswith("pip install"):
                continue
            if command.startswith("quell serve"):
                self._serve(command)
                continue
            if command.startswith("cd "):
                self.here = self.place / command.removeprefix("cd ")
                continue
            if command.startswith("at()"):
                self.environment["SHELL_WORDS"] = command
                continue
            fails = any(line.startswith("FAIL") for line in shown)
            done = self._run(command)
            assert done.returncode == int(fails), f"{command}\n{done.stdout}{done.stderr}"
            for line in shown:
                assert line in re.sub(r" \(\d+\.\d+ s(, \d+ kills)?\)", "", done.stdout), f"{command}\n{done.stdout}"
            if command.startswith("quell init"):
                self._begin(done.stdout)
            self.said = done.stdout
            self.done.append(command)

    def _run(self, command):
        script = f"{self.environment.get('SHELL_WORDS', '')}\n{command}"
        return subprocess.run(
            ["bash", "-c", script], cwd=self.here, env=self.environment, capture_output=True, text=True, check=False
        )

    def _begin(self, said):
        self.environment["QUELL_TOKEN"] = re.search(r"QUELL_TOKEN=(\S+)", said)[1]
        (main,) = self.place.glob("*/quell.yaml")
        main.write_text(main.read_text().replace("127.0.0.1:9099", f"127.0.0.1:{self.port}"))

    def _serve(self, command):
        words = [sys.executable, "-m", "quell.cli", *command.split()[1:]]
        self.daemon = subprocess.Popen(words, cwd=self.here, env=self.environment, stdout=subprocess.DEVNULL)
        for _ in range(200):
            if self._run("quell status").returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError("the daemon did not come up")

    def leave(self):
        if self.daemon is not None:
            self.daemon.send_signal(signal.SIGTERM)
            self.daemon.wait(20)


def _commands(text):
    """Each command with the lines that are shown after it; a here-document belongs to its command."""
    command, shown, waiting = "", [], ""
    for line in text.splitlines():
        if waiting:
            command += f"\n{line}"
            waiting = "" if line == waiting else waiting
        elif line.startswith("$ "):
            if command:
                yield command, shown
            command, shown = line[2:], []
            found = re.search(r"<<'?(\w+)'?$", line)
            waiting = found[1] if found else ""
        else:
            shown.append(line)
    yield command, shown


@pytest.mark.long
def test_the_first_playbook_can_be_written_tested_and_watched(tmp_path):
    reader = Reader(tmp_path)
    try:
        for kind, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
            reader.write(text) if kind == "yaml" else reader.type(text)
        for _ in range(60):
            if "restart-crashing" in reader.said and "done" in reader.said:
                break
            time.sleep(0.5)
            reader.type("$ quell runs\n")
        assert "restart-crashing" in reader.said
    finally:
        reader.leave()
    assert len(reader.done) >= 9
