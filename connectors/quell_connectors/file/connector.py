"""The file sink."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from quell.errors import Refused, Unreachable
from quell.model.times import format_time
from quell.sdk.connector import Call, Context, Done
from quell.sdk.spec import Spec
from quell_connectors.file.lines import append, has_key
from quell_connectors.file.spec import SPEC

_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ESTALE})
"""Failures that a later try may not meet."""


class FileSink:
    """Writing is its purpose, so it may touch a file, in a thread, when it acts."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        del context
        self._path = Path(str(options["path"]))

    async def act(self, call: Call) -> Done:
        """Raises `Unreachable` for a full disk and its like, `Refused` for a path that cannot be written."""
        if call.dry_run:
            return Done(f"a line with key {call.key} would be in {self._path}")
        fields = call.params.get("fields") if call.action == "append" else None
        line = {"at": format_time(call.now), "key": call.key, "action": call.action}
        said = {name: value for name, value in call.params.items() if name != "fields" and value not in ("", None)}
        own = fields if isinstance(fields, Mapping) else {}
        try:
            encoded = msgspec.json.encode({**own, **said, **line})
            written = await asyncio.to_thread(self._write_once, call.key, encoded)
        except (TypeError, ValueError, msgspec.MsgspecError) as error:
            raise Refused(f"{self._path}: the line cannot be written as JSON: {error}") from error
        except OSError as error:
            failure = Unreachable if error.errno in _PASSING else Refused
            raise failure(f"{self._path} cannot be written: {(error.strerror or str(error)).lower()}") from error
        return Done(f"a line with key {call.key} is in {self._path}", {"path": str(self._path), "written": written})

    def _write_once(self, key: str, line: bytes) -> bool:
        if has_key(self._path, key):
            return False
        append(self._path, line)
        return True
