"""The commands that people say, from the forms by which they are read."""

from __future__ import annotations

from collections.abc import Iterator

from generating.markdown import table
from quell.chatops.forms import FORMS, Form
from quell.chatops.grammar import FILTERS

_SCOPES = (
    ("read", "Look"),
    ("act", "Take, end and judge"),
    ("approve", "Let playbooks act, or keep them from it"),
)


def chat_page() -> Iterator[str]:
    """One table a scope."""
    yield from ("# Commands in chats", "")
    yield (
        'What people say with `/quell`, with `@quell` in a thread, by `quell say "…"` and by `POST /api/quell/v1/say` '
        "is read by one grammar, checked by one check of permission and done by one dispatcher: "
        "[how to](../how-to/chat-commands.md)."
    )
    yield ""
    yield (
        "`[…]` may be left out: in the thread of an incident or a run the thread says which. Capitals are for what you "
        "fill in: `INC` an incident's id (its beginning will do), `RUN` a run's, `DURATION` such as `30m` or `1h30m`, "
        "`MATCHERS` labels as in Alertmanager. "
        f"Filters of `incidents` are {', '.join(f'`{one}:…`' for one in FILTERS)}; "
        '`sev:high` means whatever wakes people. Quotes hold words together: `split INC-3f9a1c "Disk full"`.'
    )
    for scope, head in _SCOPES:
        yield from ("", f"## {head}", "", f"These need the scope `{scope}`.", "")
        yield from table(
            ("command", "what it does", "for example"), [_row(form) for form in FORMS if form.scope == scope]
        )


def _row(form: Form) -> tuple[str, str, str]:
    return f"`{form.written}`", form.summary, f"`{form.example}`"
