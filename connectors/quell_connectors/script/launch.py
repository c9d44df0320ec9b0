"""Gives up rights, then becomes the script. Run as a program of its own, with the standard library only.

Arguments: the user ("" stays who it is), then the command. Ends with 126 and a line on stderr when it cannot.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
FAILED = 126


def main(user: str, command: list[str]) -> int:
    """Does not come back unless something is wrong."""
    try:
        os.umask(0o077)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if user:
            _become(pwd.getpwnam(user))
        _bind()
        os.execv(command[0], command)  # noqa: S606 - without a shell is what is meant
    except (OSError, KeyError) as error:
        sys.stderr.write(f"quell cannot run {command[0]}: {error}\n")
    return FAILED


def _become(entry: pwd.struct_passwd) -> None:
    """Another user for good, without the groups of the old one."""
    if os.geteuid() != entry.pw_uid:
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    if entry.pw_uid == 0 or os.geteuid() == 0:
        raise PermissionError(f"{entry.pw_name} is root")


def _bind() -> None:
    """No program that the script calls gains rights, and it ends when quell does. Linux only; elsewhere left out."""
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
