"""The actions of the script connector."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from quell.errors import BadPayload, Misconfigured, NoAnswer, Problem, Refused, Unreachable
from quell.sdk.connector import Call, Context, Done
from quell.sdk.secret import Secret
from quell.sdk.spec import Spec
from quell_connectors.script.declared import Declared, declared_scripts
from quell_connectors.script.files import runnable
from quell_connectors.script.process import Ended, run
from quell_connectors.script.spec import SPEC

TRY_LATER = 75
"""EX_TEMPFAIL of sysexits.h: the script has done nothing and may be run again later."""
_MOST_ARGS = 64
_LONGEST_ARG = 4096
_MOST_SAID = 300
_ERROR_LINES = 3
_LEAST_S = 0.1


class Script:
    """Runs only what is declared. Nobody but root and quell can have changed what is run; it is looked at each time.

    A script learns from its environment: QUELL_KEY (the same for a repeat), QUELL_ACTION, QUELL_DRY_RUN, QUELL_TOKEN.
    """

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._directory = str(options["directory"])
        self._user = str(options.get("user") or "")
        self._token: Secret | None = options.get("token")
        self._environment = _environment(options.get("environment") or {})
        self._scripts = declared_scripts(options.get("scripts") or {})
        self._source = context.source

    async def act(self, call: Call) -> Done:
        """Raises `Refused` for what may not be run and for exit codes, `NoAnswer` when it was cut off."""
        script = self._script(str(call.params.get("script") or ""))
        if call.action not in {action.name for action in SPEC.actions}:
            raise Refused(f'script has no action "{call.action}"')
        if call.action == "state":
            return await self._state(call, script)
        if call.action == "undo":
            if not script.undo:
                raise Refused(f'script "{script.name}" declares no undo; nothing was run')
            script = self._script(script.undo)
        if not script.fits(call.action):
            declared = f"effect: {script.effect}, repeat: {script.repeat}"
            raise Refused(f'script "{script.name}" is declared {declared}: {call.action} may not run it; use run')
        dry = call.dry_run and script.effect != "read"
        if dry and not script.dry_run:
            command = self._command(call, script)
            return Done(f"would run {' '.join(command)[:_MOST_SAID]}{self._as_user()}")
        return await self._run(call, script, dry=dry)

    async def _state(self, call: Call, script: Declared) -> Done:
        if not script.before:
            return Done(f'script "{script.name}" does not tell what was before', {"already": False})
        done = await self._run(call, self._script(script.before), dry=False)
        said = done.output.get("json")
        if not isinstance(said, dict):
            raise BadPayload(f'script "{script.before}" printed no JSON object', str(done.output["stdout"]).encode())
        return Done(done.sentence, {**said, "already": said.get("already") is True})

    async def _run(self, call: Call, script: Declared, *, dry: bool) -> Done:
        command = self._command(call, script, dry=dry)
        given = call.params.get("input")
        limit_s = max(min(script.timeout_s, call.timeout_s * 0.95), _LEAST_S)
        ended = await run(
            command,
            user=self._user,
            environment=self._environment | self._told(call, dry=dry),
            stdin=b"" if given is None else msgspec.json.encode(given),
            timeout_s=limit_s,
        )
        return self._outcome(script, ended, limit_s)

    def _outcome(self, script: Declared, ended: Ended, limit_s: float) -> Done:
        out, err = self._masked(ended.out), self._masked(ended.err)
        said = _last(err, _ERROR_LINES) or _last(out, 1)
        said = f": {said}" if said else ""
        if ended.code is None:
            raise NoAnswer(f'script "{script.name}" did not end within {limit_s:g} s and was killed{said}')
        if ended.code == TRY_LATER:
            raise Unreachable(f'script "{script.name}" asks to be run later (exit code {TRY_LATER}){said}')
        if ended.code < 0:
            raise NoAnswer(f'script "{script.name}" was ended by signal {-ended.code}{said}')
        if ended.code:
            raise Refused(f'script "{script.name}" ended with exit code {ended.code}{said}')
        output = {"code": 0, "stdout": out, "json": _object(out)}
        said = "" if output["json"] is not None else _last(out, 1)
        return Done(said or f'script "{script.name}" ended well', output)

    def _script(self, name: str) -> Declared:
        found = self._scripts.get(name)
        if found is None:
            raise Refused(f'"{name[:80]}" is none of the declared scripts: {", ".join(self._scripts)}; nothing was run')
        return found

    def _command(self, call: Call, script: Declared, *, dry: bool = False) -> list[str]:
        """The argv. Raises `Refused` for what may not be run, and for arguments that could pass for options."""
        if os.geteuid() == 0 and not self._user:
            raise Refused(f"quell runs as root: {self._source} needs the option user, such as nobody; nothing was run")
        path = runnable(self._directory, script.name)
        given = call.params.get("args") or []
        args = [_argument(value, dashes=script.dashes) for value in given]
        if len(args) > _MOST_ARGS:
            raise Refused(f"args: {len(args)} are too many; {_MOST_ARGS} are taken. Nothing was run")
        return [str(path), *(["--dry-run"] if dry else []), *args]

    def _told(self, call: Call, *, dry: bool) -> dict[str, str]:
        told = {"QUELL_KEY": call.key, "QUELL_ACTION": call.action, "QUELL_DRY_RUN": "1" if dry else "0"}
        return {**told, "QUELL_TOKEN": self._token.reveal()} if self._token else told

    def _masked(self, text: str) -> str:
        return text.replace(self._token.reveal(), "***") if self._token else text

    def _as_user(self) -> str:
        return f" as {self._user}" if self._user else ""


def _environment(given: Mapping[str, Any]) -> dict[str, str]:
    """Nothing of quell's own environment: it holds what is secret. Raises `Misconfigured`."""
    wrong = [str(name) for name in given if not str(name).isidentifier() or str(name).startswith("QUELL_")]
    if wrong:
        raise Misconfigured([Problem("", 0, 0, f'environment: "{name}" is no name to give') for name in wrong])
    usual = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
    return usual | {str(name): str(value) for name, value in given.items()}


def _argument(value: Any, *, dashes: bool) -> str:
    """As text; numbers and truth values as JSON writes them."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if "\0" in text or len(text) > _LONGEST_ARG:
        raise Refused(f'args: "{text[:40]}" holds a NUL or is longer than {_LONGEST_ARG}; nothing was run')
    if text.startswith("-") and not dashes:
        raise Refused(
            f'args: "{text[:80]}" would be read as an option; declare dashes: true if it is meant. Nothing was run'
        )
    return text


def _object(text: str) -> dict[str, Any] | None:
    """What a script has printed, when that is one JSON object and nothing else."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _last(text: str, lines: int) -> str:
    """The last lines that say something, as one."""
    told = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(told[-lines:])[-_MOST_SAID:]
