"""The demo's words on standard output: what happens when, as it happens."""

from __future__ import annotations

import time

from parts import Parts
from rich.console import Console
from rich.text import Text


class Telling:
    """Prints; times are seconds since the demo began."""

    def __init__(self) -> None:
        self._out = Console(highlight=False, soft_wrap=True)
        self._began = time.monotonic()

    def head(self, text: str) -> None:
        """What comes now."""
        self._out.print()
        self._out.print(Text(text, style="bold underline"))

    def line(self, text: str, style: str = "") -> None:
        """A line as it is."""
        self._out.print(Text(text, style=style))

    def event(self, text: str, style: str = "") -> None:
        """What happened now."""
        self._out.print(Text.assemble((f"{time.monotonic() - self._began:5.0f} s  ", "dim"), (text, style)))

    def started(self, parts: Parts) -> None:
        """What runs, and which of it is real."""
        self.event(f"a real MLflow server with model fraud    {parts.mlflow.url}")
        for line in parts.trained.splitlines():
            if line.startswith("version "):
                self.line(f"           {line}")
        self.event(
            f"the endpoint fraud-api, which serves fraud@champion (version 2) and sends OTLP    {parts.endpoint.url}"
        )
        self.event(
            f"a stand-in for Airflow: a small server of this demo with Airflow's REST contract    {parts.scheduler.url}"
        )
        self.event(f"a ticket desk of this demo    {parts.desk.url}")
        self.event(f"quell, with examples/demo-ml/estate    {parts.daemon.url}")
