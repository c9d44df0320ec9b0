"""Secrets: files only refer to them, as ``env:NAME`` or ``file:/path``."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from dataclasses import dataclass

from quell.config.folders import lasting
from quell.config.options import Unfit
from quell.sdk.secret import Secret

_LARGEST = 65_536


@dataclass(frozen=True, slots=True)
class Secrets:
    """Reads references; file paths are relative to ``directory``. Messages never hold what stands in the file.

    Where secrets are not ``needed``, because nothing outside is asked, each stands for itself and nothing is read.
    """

    directory: pathlib.Path
    environ: Mapping[str, str]
    needed: bool = True

    def read(self, reference: object) -> Secret:
        """The secret a reference names. Raises `Unfit` when it is not a reference, or what it names is not there."""
        kind, colon, name = reference.partition(":") if isinstance(reference, str) else ("", "", "")
        if not colon or not name or kind not in {"env", "file"}:
            raise Unfit("a secret may not stand in the file itself", "refer to it as env:NAME or file:/path")
        if not self.needed:
            return Secret(str(reference))
        return Secret(self._variable(name) if kind == "env" else self._file(name))

    def _variable(self, name: str) -> str:
        value = self.environ.get(name, "")
        if not value:
            raise Unfit(f"environment variable {name} is not set", f"set {name}, or refer to a file as file:/path")
        return value

    def _file(self, name: str) -> str:
        try:
            with (self.directory / name).open("rb") as file:
                data = file.read(_LARGEST + 1)
            text = data.decode().strip("\r\n")
        except OSError as error:
            raise Unfit(f'the secret file "{name}" cannot be read: {lasting(error).strerror}') from None
        except (UnicodeDecodeError, ValueError):
            raise Unfit(f'the secret file "{name}" holds no UTF-8 text') from None
        if not text or len(data) > _LARGEST:
            raise Unfit(f'the secret file "{name}" is {"empty" if not text else "too large"}')
        return text
