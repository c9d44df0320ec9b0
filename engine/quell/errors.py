"""Every error quell raises on purpose, sorted by what the caller must do.

QuellError
├── Misconfigured(problems)      a file or option is wrong; show every problem, keep the last good
├── ConnectorError
│   ├── Unreachable(retry_after_s) the other side could not be asked; ask again later
│   ├── Refused                  the other side said no; do not repeat
│   │   └── Denied               it does not take who asks; nothing works there until somebody changes that
│   └── BadPayload(payload)      what arrived cannot be read; quarantine it, answer 4xx
├── ExpressionError(column)      a condition, template or matcher cannot be read or evaluated
├── Overloaded                   the inbox is full; answer 503 at once
├── ExportError                  an export cannot be made or written; what is missing is said
├── BacktestError                two versions of the rules cannot be compared; nothing is said of the difference
├── PictureError                 a picture cannot be made on this machine; what is missing is said
└── StoreError                   the store could not keep or give something; nothing was accepted
    ├── Unheard                  or was it? its answer was lost
    ├── InUse                    another quell holds it; wait for its end, or use another
    └── Fenced                   another quell has taken it over; do nothing more
"""

from __future__ import annotations

from dataclasses import dataclass


class QuellError(Exception):
    """Base of all errors quell raises on purpose."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in a file: where it is, what is wrong, what was expected.

    ``line`` and ``column`` count from 1; 0 means "the file as a whole".
    """

    file: str
    line: int
    column: int
    message: str
    suggestion: str = ""
    excerpt: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        text = f"{place}: {self.message}"
        if self.suggestion:
            text += f"; {self.suggestion}"
        return f"{text}\n{self.excerpt}" if self.excerpt else text


class Misconfigured(QuellError):
    """Files or options are wrong. Carries every problem found, sorted by place."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems)
        files = len({problem.file for problem in problems})
        count = len(problems)
        self.summary = f"{count} problem{'s' * (count != 1)} in {files} file{'s' * (files != 1)}"
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ConnectorError(QuellError):
    """Something between quell and another system failed."""


class Unreachable(ConnectorError):
    """The other system could not be asked; try again, after ``retry_after_s`` seconds if it said so."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)

    @property
    def retry_after(self) -> float | None:
        """The same by its former name."""
        return self.retry_after_s


class NoAnswer(Unreachable):
    """The other system was asked and did not answer: nobody knows whether it did what it was asked to do."""


class Refused(ConnectorError):
    """The other system answered no; repeating the call would not help."""


class Denied(Refused):
    """The other system does not take who asks: nothing works there until somebody gives it other credentials."""


class BadPayload(ConnectorError):
    """What arrived cannot be read. ``payload`` is kept in quarantine, ``field`` names the place."""

    def __init__(self, message: str, payload: bytes = b"", field: str = "") -> None:
        self.payload = payload
        self.field = field
        super().__init__(message)


class ExpressionError(QuellError):
    """A condition, template or matcher cannot be compiled or evaluated; ``column`` counts from 1, 0 is unknown."""

    def __init__(self, message: str, column: int = 0) -> None:
        self.column = column
        super().__init__(message)


class Overloaded(QuellError):
    """The inbox is full; the sender is told so at once and nothing was accepted."""


class ExportError(QuellError):
    """An export cannot be made or written; the message says what is missing."""


class BacktestError(QuellError):
    """Versions of the rules cannot be had or compared; the message says why."""


class PictureError(QuellError):
    """A picture cannot be made on this machine."""


class StoreError(QuellError):
    """The store could not keep or give something; what was being written was not accepted."""


class Unheard(StoreError):
    """The store's answer was lost: what was being written counts if it was kept, which the store knows later."""


class InUse(StoreError):
    """Another quell holds the store; it may be had once that one has ended."""


class Fenced(StoreError):
    """Another quell has taken the store over: whoever hears this must neither write nor act any more."""
