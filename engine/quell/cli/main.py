"""The command ``quell``: subcommands by name, each loaded only when it is called."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from quell import __version__
from quell.cli import exits
from quell.replay.collector import seldom_collected

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("configuration", "Write a configuration to start from, with an admin token."),
    "check": ("configuration", "Check a configuration; show every problem at once."),
    "test": ("testing", "Try playbooks and rules with scenarios, on a virtual clock."),
    "drill": ("drilling", "Hold fire drills: do detectors, causes, pages and playbooks still come?"),
    "schema": ("configuration", "Print the JSON Schema of a kind of file, for editors."),
    "explain": ("configuration", "List the actions and connectors that are installed."),
    "import": ("taking_over", "Take over Alertmanager's configuration or a workflow of Keep."),
    "profile": ("profiling", "Write what data is like as a reference profile."),
    "drift": ("profiling", "Compare data with a reference profile; print what drifted."),
    "serve": ("serving", "Run the daemon."),
    "demo": ("demo", "Send a recorded alert storm to a daemon and report what became of it."),
    "replay": ("replaying", "Run the core over recorded files, offline."),
    "backtest": ("backtesting", "Replay recorded history under two versions of the rules; print what differs."),
    "record": ("recording", "Write what fires at an Alertmanager or Prometheus to files, for replay and backtest."),
    "import-history": ("history", "Write the alerts that a Prometheus knows of the past to a file, likewise."),
    "export": ("exporting", "Write what the store holds: records, alerts, incidents, audit, …"),
    "privacy": ("privacy", "Say what is kept of a text that holds something personal."),
    "send": ("sending", "Post records from a file to the daemon."),
    "status": ("estate", "Say how the daemon is."),
    "incidents": ("incidents", "List incidents."),
    "show": ("incidents", "Show one incident: suspects, alerts, runs, timeline."),
    "why": ("incidents", "Explain an incident: why this cause and not the others."),
    "postmortem": ("incidents", "Draft a post-mortem of an incident, as Markdown."),
    "say": ("saying", "Say a command in words, as people do in chats."),
    "oncall": ("calling", "Say who is on call, now or at a time."),
    "ack": ("incidents", "Acknowledge an incident."),
    "resolve": ("incidents", "Resolve an incident."),
    "reopen": ("incidents", "Open a resolved incident again."),
    "alerts": ("alerts", "List alerts and what became of them."),
    "why-not": ("alerts", "Say why an alert did not page."),
    "runs": ("runs", "List runs of playbooks."),
    "approve": ("runs", "Say yes to a run that waits for approval."),
    "reject": ("runs", "Say no to a run that waits for approval."),
    "stop": ("runs", "Stop a run before its next step."),
    "release": ("runs", "Release the locks of a stuck run."),
    "run": ("runs", "Run a playbook, for an incident if it needs one."),
    "playbooks": ("runs", "List playbooks."),
    "pause": ("runs", "Keep every playbook from acting."),
    "unpause": ("runs", "Let playbooks act again."),
    "sync": ("syncing", "Look at the git branch of rules now."),
    "suggest": ("suggesting", "Print rules and dependencies that the past speaks for, to review."),
    "train": ("training", "Estimate weights of correlation from labelled storms and feedback, to review."),
    "graph": ("estate", "Show what depends on what, and who said so."),
    "quarantine": ("quarantining", "List what could not be read, try it again, put it away."),
    "stats": ("scoring", "Say what came in and what became of it, and how playbooks did."),
    "releases": ("scoring", "Say of each deploy and model release what it broke, and what users felt."),
    "slo": ("levels", "Say how service levels stand, and whether a release may go on."),
    "audit": ("auditing", "List who did what, and verify that the list is whole."),
    "ledger": ("estate", "List acts on the outside world."),
    "backup": ("backing_up", "Write all that must survive into one file, and try it out."),
    "restore": ("backing_up", "Put a backup in the place of the store."),
    "version": ("configuration", "Print the version."),
}
"""Each command's module below `quell.cli` and its line in the help; the order is the order of the help."""


class Lazy(click.Group):
    """Imports a command's module when the command is called, so that ``quell check`` does not pay for the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's signature
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"quell.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.COMMANDS[cmd_name]
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(args[0], COMMANDS, 1)
            hint = f'did you mean "{close[0]}"?' if close else "quell --help lists them"
            ctx.fail(f'unknown command "{args[0]}"; {hint}')
        return super().resolve_command(ctx, args)


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="quell", message="%(prog)s %(version)s")
def cli() -> None:
    """Alerts in, a few explained incidents and safe playbook runs out.

    Start with: quell init DIR, quell check DIR, quell serve -c DIR/quell.yaml
    """


def run(args: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    words = None if args is None else list(args)
    return exits.leave(lambda: cli.main(words, prog_name="quell", standalone_mode=False))


def main() -> NoReturn:
    """The entry point. What a command imports and reads stays to its end: to look for cycles in it is for nothing."""
    with seldom_collected():
        sys.exit(run())
