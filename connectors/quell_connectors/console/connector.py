"""The console."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import Any, ClassVar

from quell.errors import Refused
from quell.sdk.connector import Call, Context, Done
from quell.sdk.spec import Spec
from quell_connectors.console.card import card
from quell_connectors.console.spec import SPEC


class Console:
    """Prints in a thread: a terminal that is held up must not hold up the daemon."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        del options, context

    async def act(self, call: Call) -> Done:
        """Raises `Refused` when standard output is closed."""
        if call.dry_run:
            return Done(f"a {call.action} would be on the console")
        try:
            await asyncio.to_thread(_write, card(call.action, call.key, call.params))
        except (OSError, ValueError) as error:
            raise Refused(f"the console cannot be written to: {error}") from error
        return Done(f"a {call.action} is on the console")


def _write(text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()
