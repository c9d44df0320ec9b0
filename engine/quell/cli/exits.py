"""The one door out of the command: what went wrong becomes a message and an exit code, never a traceback for a user.

0 fine · 1 a check failed or the daemon said no · 2 misconfigured or wrong usage · 3 a bug of ours
4 another quell has taken the daemon's store over · 130 interrupted
"""

from __future__ import annotations

import errno
import platform
import sys
import traceback
from collections.abc import Callable

import click

from quell import __version__
from quell.cli.harmless import harmless
from quell.errors import Misconfigured, QuellError

FINE = 0
FAILED = 1
MISCONFIGURED = 2
BUG = 3
INTERRUPTED = 130
_OF_DISKS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_OF_FILES = _OF_DISKS | {
    errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP
}  # fmt: skip


class Failed(click.ClickException):
    """What was asked for could not be done; the message says why and what to do next."""

    exit_code = FAILED

    def show(self, file: object = None) -> None:  # noqa: ARG002 -- click's signature
        click.echo(self.message, err=True)


def leave(command: Callable[[], object]) -> int:
    """Runs ``command`` and returns the exit code, having said on stderr what there is to say."""
    try:
        code = command()
        sys.stdout.flush()
    except Misconfigured as error:
        click.echo(harmless("\n".join(str(problem) for problem in error.problems)), err=True)
        click.echo(error.summary, err=True)
        return MISCONFIGURED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("\ninterrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return FINE
    except QuellError as error:
        click.echo(harmless(str(error)), err=True)
        return FAILED
    except OSError as error:
        if not _of_the_machine(error):
            click.echo(bug_report(error), err=True)
            return BUG
        click.echo(f"{error.filename}: {error.strerror}" if error.filename else error.strerror, err=True)
        return FAILED
    except Exception as error:  # noqa: BLE001 -- the one door: reported in full, with its own exit code
        click.echo(bug_report(error), err=True)
        return BUG
    return code if isinstance(code, int) else FINE


def _of_the_machine(error: OSError) -> bool:
    """Whether a file that was named could not be used as it was meant, or a disk is full: no mistake of ours."""
    return error.errno in (_OF_FILES if error.filename else _OF_DISKS)


def bug_report(error: Exception) -> str:
    """A report that is ready to be pasted into an issue; holds no arguments, as they may hold secrets."""
    trace = "".join(traceback.format_exception(error)).rstrip()
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    running = f"quell {__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}"
    return "\n".join(
        [
            f"quell {command}: this is a bug in quell ({type(error).__name__}), not a mistake of yours.",
            "Please report it with the lines below: https://github.com/quell-ops/quell/issues",
            "",
            "```",
            f"{running}, command {command!r}",
            trace,
            "```",
        ]
    )


def _forget_stdout() -> None:
    """The reader of our output went away (``quell alerts | head``): no second error at exit."""
    sys.stderr.close()
