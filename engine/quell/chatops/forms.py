"""The commands: how each is written, what it is for, and who may give it. Help and the reference are made of this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Slot = Literal[
    "incident",
    "other",
    "run",
    "playbook",
    "person",
    "span",
    "alerts",
    "silence",
    "matchers",
    "filters",
    "about",
    "all",
    "mark",
    "version",
]
"""What may stand behind a verb, in this order of words. ``other`` is a second incident, ``span`` a duration,
``about`` a word of its own, ``mark`` what stands beside what a run asks, ``version`` of the incident that was read."""
Scope = Literal["read", "act", "approve"]


@dataclass(frozen=True, slots=True)
class Form:
    """One command.

    ``slots`` may be left out where ``optional`` names them; an incident or a run that is left out is that of the thread
    in which the command is given. ``because``: a reason may be given, or ("needed") must be. ``scope`` is what whoever
    gives it must be allowed.
    """

    verb: str
    written: str
    summary: str
    scope: Scope
    slots: tuple[Slot, ...] = ()
    optional: frozenset[Slot] = frozenset()
    because: Literal["", "may", "needed"] = ""
    dry: bool = False
    example: str = ""


def _in_thread(*more: Slot) -> frozenset[Slot]:
    return frozenset({"incident", "run", *more})


FORMS: tuple[Form, ...] = (
    Form(
        "incidents", "incidents [team:NAME] [sev:NAME] [service:NAME] [status:all]",
        "The open incidents, gravest first; with filters only those of a team, a severity or a service.", "read",
        ("filters",), frozenset({"filters"}), example="incidents team:payments sev:critical",
    ),
    Form(
        "show", "show [INC]", "The card of an incident as it is now.", "read",
        ("incident",), _in_thread(), example="show INC-3f9a1c",
    ),
    Form(
        "why", "why [INC]", "Who is suspected and why, who else was, and what changed nearby.", "read",
        ("incident",), _in_thread(), example="why INC-3f9a1c",
    ),
    Form(
        "graph", "graph [INC]", "How trouble travelled, as a picture.", "read",
        ("incident",), _in_thread(), example="graph INC-3f9a1c",
    ),
    Form(
        "stats", "stats [DURATION]",
        "How much was held back, how fast people took and ended what was not, and how playbooks did.", "read",
        ("span",), frozenset({"span"}), example="stats 7d",
    ),
    Form(
        "ack", "ack [INC] [because REASON]", "You are on it: nobody else is called.", "act",
        ("incident",), _in_thread(), "may", example="ack INC-3f9a1c",
    ),
    Form(
        "assign", "assign [INC] @PERSON", "It is theirs. They are not called for that, and have not taken it yet.",
        "act", ("incident", "person"), _in_thread(), example="assign INC-3f9a1c @bo",
    ),
    Form(
        "snooze", "snooze [INC] DURATION",
        "You have it, and nobody is called until then; if it is still open, people are called again.", "act",
        ("incident", "span"), _in_thread(), example="snooze INC-3f9a1c 30m",
    ),
    Form(
        "resolve", "resolve [INC] [because REASON]",
        "It is over. If its alerts still fire half an hour later it comes back.", "act",
        ("incident",), _in_thread(), "may", example="resolve INC-3f9a1c because the disk was swapped",
    ),
    Form(
        "reopen", "reopen [INC] [because REASON]", "It is not over.", "act",
        ("incident",), _in_thread(), "may", example="reopen INC-3f9a1c",
    ),
    Form(
        "merge", "merge [INC] INC [because REASON]",
        "Both are one: the first stays, and whatever shares the cause of either belongs to it.", "act",
        ("incident", "other"), _in_thread(), "may", example="merge INC-3f9a1c INC-77b0d2 because one power cut",
    ),
    Form(
        "split", "split [INC] ALERT… [because REASON]",
        "These alerts (by name or fingerprint) stand apart, in an incident of their own.", "act",
        ("incident", "alerts"), _in_thread(), "may", example="split INC-3f9a1c DiskFull because planned work",
    ),
    Form(
        "noise", "noise [INC] [because REASON]", "There was nothing to do: triage heeds that.", "act",
        ("incident",), _in_thread(), "may", example="noise INC-3f9a1c because a test ran",
    ),
    Form(
        "missed", "missed [INC] [because REASON]",
        "Somebody should have been told of it, or sooner: triage and limits of detectors heed that.", "act",
        ("incident",), _in_thread(), "may", example="missed INC-3f9a1c because orders stood still",
    ),
    Form(
        "confirm", "confirm [INC] [because REASON]", "The first suspect was the cause.", "act",
        ("incident",), _in_thread(), "may", example="confirm INC-3f9a1c",
    ),
    Form(
        "doubt", "doubt [INC] [because REASON]", "The first suspect was not the cause; say what was.", "act",
        ("incident",), _in_thread(), "may", example="doubt INC-3f9a1c because it was the switch",
    ),
    Form(
        "silence", "silence MATCHERS|INC for DURATION because REASON",
        "Nobody hears of alerts with these labels, or of what fires in an incident, for so long.", "act",
        ("matchers", "span"), frozenset(), "needed",
        example='silence service=checkout, severity!="critical" for 2h because of planned work',
    ),
    Form("silences", "silences", "What is silenced now, by whom and why.", "read", example="silences"),
    Form(
        "unsilence", "unsilence ID", "A silence ends now.", "act", ("silence",), example="unsilence 4c0f6f",
    ),
    Form(
        "run", "run PLAYBOOK [INC] [--dry]",
        "Runs a playbook for an incident; with --dry it says what each step would do, and does nothing.", "act",
        ("playbook", "incident"), _in_thread(), "may", dry=True, example="run rollback-bad-deploy INC-3f9a1c --dry",
    ),
    Form(
        "approve", "approve [RUN] MARK [version N] [because REASON]",
        "Yes to a run that waits, as it stands beside that mark; with a version only if the incident is at that.",
        "approve", ("run", "mark", "version"), _in_thread("mark", "version"), "may",
        example="approve R-0c7e5f91 a1b2",
    ),
    Form(
        "reject", "reject [RUN] because REASON", "No to it: it stops.", "approve",
        ("run",), _in_thread(), "needed", example="reject R-0c7e5f91 because we roll forward",
    ),
    Form(
        "stop", "stop [RUN] [because REASON]", "Stops a run before its next step.", "approve",
        ("run",), _in_thread(), "may", example="stop R-0c7e5f91",
    ),
    Form(
        "release", "release [RUN] because REASON",
        "A stuck run lets go of what it keeps locked, once somebody has looked.", "approve",
        ("run",), _in_thread(), "needed", example="release R-0c7e5f91 because I put it back by hand",
    ),
    Form(
        "runs", "runs [INC]", "The runs of playbooks, newest first.", "read",
        ("incident",), _in_thread(), example="runs INC-3f9a1c",
    ),
    Form("oncall", "oncall [NAME]", "Who is called now.", "read", ("about",), frozenset({"about"}), example="oncall"),
    Form(
        "subscribe", "subscribe [INC]", "Its card also comes to you, privately, and is kept up to date.", "read",
        ("incident",), _in_thread(), example="subscribe INC-3f9a1c",
    ),
    Form(
        "unsubscribe", "unsubscribe [INC]", "Its card comes to you no more.", "read",
        ("incident",), _in_thread(), example="unsubscribe INC-3f9a1c",
    ),
    Form(
        "pause", "pause all [because REASON]", "No playbook acts until somebody says unpause all.", "approve",
        ("all",), frozenset(), "may", example="pause all because the cluster moves",
    ),
    Form(
        "unpause", "unpause all [because REASON]", "Playbooks act again.", "approve",
        ("all",), frozenset(), "may", example="unpause all",
    ),
    Form(
        "help", "help [COMMAND]", "What can be said here.", "read",
        ("about",), frozenset({"about"}), example="help run",
    ),
)  # fmt: skip
BY_VERB: dict[str, Form] = {form.verb: form for form in FORMS}
