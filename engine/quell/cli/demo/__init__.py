"""The demo: a daemon of its own, a recorded storm over HTTP, and a report of what became of it."""

from quell.cli.demo.command import demo

COMMANDS = {"demo": demo}
