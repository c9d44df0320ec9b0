"""A daemon starts quickly, says why when it cannot, and needs nothing but its file."""

from __future__ import annotations

import socket
from pathlib import Path

from faults.child import Child, write_config
from ports import free_port


def test_it_gets_ready_and_ends_when_told(tmp_path: Path) -> None:
    """How soon is measured by `benchmarks/start.py`."""
    child = Child(write_config(tmp_path / "quell"), free_port())
    try:
        child.spawn()
        child.wait_ready()
        assert child.ask("GET", "/ready") == (200, b"OK")
        assert child.end() == 0
    finally:
        child.close()


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        child = Child(write_config(tmp_path / "quell"), taken.getsockname()[1])
        try:
            child.spawn()
            assert child.process.wait(20) == 1
            assert "cannot listen on" in child.log
            assert "Traceback" not in child.log
        finally:
            child.close()


def test_a_broken_configuration_is_said(tmp_path: Path) -> None:
    child = Child(write_config(tmp_path / "quell", "snapshot_every: soon\n"), free_port())
    try:
        child.spawn()
        assert child.process.wait(20) == 2
        assert "quell.yaml:4:" in child.log
    finally:
        child.close()


def test_a_store_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    config = write_config(tmp_path / "quell")
    (tmp_path / "quell" / "quell.db").write_bytes(b"this is no database, " * 500)
    child = Child(config, free_port())
    try:
        child.spawn()
        assert child.process.wait(20) == 1
        assert "quell.db" in child.log
        assert "Traceback" not in child.log
    finally:
        child.close()


def test_two_daemons_on_one_store_are_refused(tmp_path: Path) -> None:
    config = write_config(tmp_path / "quell")
    first, second = Child(config, free_port()), Child(config, free_port())
    try:
        first.spawn()
        first.wait_ready()
        second.spawn()
        assert second.process.wait(20) == 1
        assert f"in use by another quell (process {first.process.pid})" in second.log
        first.kill()
        second.spawn()
        second.wait_ready()
        assert second.end() == 0
    finally:
        first.close()
        second.close()
