"""``quell serve``: from a file to a running daemon, and in order to its end."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import msgspec
import structlog
import uvloop

from quell.config import Loaded, RulesAt, Settings, load_file, unasked
from quell.config.git_file import active_of
from quell.core.engine import Engine
from quell.daemon.claim import claimed
from quell.daemon.clock import Clock
from quell.daemon.daemon import Daemon
from quell.daemon.decider import Decider
from quell.daemon.git.candidate import Trial
from quell.daemon.git.first import first_commit
from quell.daemon.git.trial import tried_out
from quell.daemon.heap import few_heaps
from quell.daemon.http import address, bound
from quell.daemon.logs import Masker, set_up
from quell.daemon.secrets_of import secrets_of
from quell.errors import InUse, Misconfigured, Problem, QuellError
from quell.model.rulebook import Rulebook
from quell.replay.collector import seldom_collected
from quell.sdk.connector import Connector
from quell.sdk.registry import Installed, installed
from quell.store.opening import open_store

_SECOND_SIGNAL_CODE = 143
_STANDBY_LOOK_S = 0.5
_PORT_FREE_WITHIN_S = 0.5
"""A daemon that was killed leaves a receiver behind for the moment that the kernel takes to end it."""
_SWITCH_S = 0.0002
"""How long the thread that commits waits for the interpreter when the event loop has much to do (usual: 25 times as
long); senders wait for it."""


def run(
    config_path: Path,
    listen: str | None,
    *,
    clock_speed: float = 1.0,
    clock_start: float | None = None,
    ready_file: Path | None = None,
    standby: bool = False,
) -> int:
    """Serves until SIGTERM or SIGINT; returns the exit code.

    ``listen`` overrides the file's address; its URL is printed, and written to ``ready_file``, once records are taken.
    A ``standby`` waits while another has the store, without listening, and takes its place when that one is gone.
    Raises `Misconfigured` and `StoreError` when it cannot begin.
    """
    connectors = installed()
    load = partial(_loaded, config_path, connectors, _address(listen) if listen else None)
    loaded = load()
    masker = Masker()
    set_up(masker, loaded.settings.log.format, level=loaded.settings.log.level)
    trial = partial(tried_out, load, config_path)
    if loaded.settings.git is not None and active_of(loaded.settings.git) is None:
        masker.know(secrets_of(loaded.settings))
        uvloop.run(first_commit(loaded.settings.git, trial, Clock(clock_speed, clock_start).now()))
        loaded = load()
    log = structlog.get_logger("quell.serve")
    for problem in (*connectors.problems, *loaded.warnings):
        log.warning("worth a look", problem=str(problem))
    for source in _wide_open(loaded.settings):
        log.warning("anybody who reaches this port may deliver to a source", source=source, host=loaded.settings.host)
    clock = Clock(clock_speed, clock_start)
    said = False
    while True:
        try:
            sys.setswitchinterval(_SWITCH_S)
            few_heaps()
            with claimed(loaded.settings.store), seldom_collected():
                return uvloop.run(
                    _serve(config_path, loaded, load, connectors,
                           trial=trial, clock=clock, masker=masker, ready_file=ready_file, standby=standby)
                )  # fmt: skip
        except InUse as error:
            if not standby:
                raise
            if not said:
                log.info("standing by", reason=str(error))
            said = True
        time.sleep(_STANDBY_LOOK_S)


async def _serve(
    config_path: Path,
    loaded: Loaded,
    load: Callable[[], Loaded],
    kinds: Mapping[str, type[Connector]],
    *,
    trial: Trial,
    clock: Clock,
    masker: Masker,
    ready_file: Path | None,
    standby: bool,
) -> int:
    settings = loaded.settings
    if standby:  # nobody is to believe that somebody listens here before that is so
        store = open_store(settings.store, settings.directory)
        listening = _listening(settings)
    else:
        listening = _listening(settings)
        store = open_store(settings.store, settings.directory)
    daemon = Daemon(
        loaded,
        load,
        config_path,
        store,
        trial=trial,
        restore=restored,
        kinds=kinds,
        clock=clock,
        masker=masker,
    )
    _follow_signals(daemon)
    try:
        if not await _started(daemon, listening):
            return daemon.exit_code
        url = address(listening)
        print(f"quell listening on {url}", flush=True)  # noqa: T201 - the one line that programs wait for
        if ready_file is not None:
            await asyncio.to_thread(ready_file.write_text, url + "\n")
        await daemon.stopping.wait()
    finally:
        await daemon.stop()
    return daemon.exit_code


def _listening(settings: Settings) -> socket.socket:
    until = time.monotonic() + _PORT_FREE_WITHIN_S
    while True:
        try:
            return bound(settings.host, settings.port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < until:
                time.sleep(_PORT_FREE_WITHIN_S / 20)
                continue
            raise QuellError(
                f'cannot listen on "{settings.host}:{settings.port}": {error.strerror}; choose another with --listen'
            ) from error


async def _started(daemon: Daemon, listening: socket.socket) -> bool:
    """Starts it; False when a signal came first, for a long journal must not keep quell from ending."""
    starting = asyncio.create_task(daemon.start(listening))
    stopping = asyncio.create_task(daemon.stopping.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not starting.done():
        starting.cancel()
        await asyncio.wait({starting})
        return False
    starting.result()
    return True


def restored(rulebook: Rulebook, data: bytes | memoryview | None) -> Decider:
    """The core, fresh or from a snapshot. Raises `QuellError` for a snapshot that this version cannot read."""
    if data is None:
        return Engine(rulebook)
    try:
        return Engine.restored(rulebook, data)
    except msgspec.DecodeError as error:
        raise QuellError(
            f"the saved state cannot be read by this version: {error}; the daemon does not start and nothing is lost: "
            "start the version that wrote it, or move the database away to start without history"
        ) from error


def _loaded(
    config_path: Path,
    kinds: Installed,
    listen: tuple[str, int] | None,
    rules: RulesAt | None = None,
) -> Loaded:
    """What the files say; ``listen`` stands for their address, also when they are read again. Raises `Misconfigured`.

    What is wrong with connectors that they name is then told as well.
    """
    try:
        found = load_file(config_path, kinds.specs, os.environ, rules=rules)
    except Misconfigured as error:
        raise Misconfigured([*kinds.problems, *error.problems]) from error
    found = replace(found, warnings=(*found.warnings, *unasked(found.settings, kinds)))
    if listen is None:
        return found
    host, port = listen
    return replace(found, settings=msgspec.structs.replace(found.settings, host=host, port=port))


def _wide_open(settings: Settings) -> list[str]:
    """Sources that check nothing, when others than programs on this machine can reach them."""
    try:
        if ip_address(settings.host).is_loopback:
            return []
    except ValueError:
        if settings.host == "localhost":
            return []
    checking = {"bearer", "basic", "hmac"}
    return [each.id for each in settings.sources if each.open and each.options.get("auth") not in checking]


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        problem = f'"{listen}" is not an address; write one such as 127.0.0.1:9099 (port 0 takes a free one)'
        raise Misconfigured([Problem("--listen", 0, 0, problem)])
    return host.strip("[]") or "127.0.0.1", int(port)


def _follow_signals(daemon: Daemon) -> None:
    """The first SIGTERM or SIGINT ends in order, the second at once; SIGHUP reloads."""

    def end() -> None:
        if daemon.stopping.is_set():
            sys.stderr.write("quell: ended at once; the journal has everything that was accepted\n")
            os._exit(_SECOND_SIGNAL_CODE)
        daemon.stopping.set()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, end)
    loop.add_signal_handler(signal.SIGINT, end)
    loop.add_signal_handler(signal.SIGHUP, daemon.reloader.ask)
