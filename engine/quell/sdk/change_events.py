"""Changes as forges, deploy tools and flag services tell of them: where one took effect, and of what kind it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from quell.errors import BadPayload, Misconfigured, Problem
from quell.model.records import ChangeRecord, ChangeType
from quell.sdk.connector import Received, Rejected, Reply, Request
from quell.sdk.moments import read_moment
from quell.sdk.parts import mapping_of, report_of
from quell.sdk.spec import Option
from quell.sdk.vocabulary import CHANGE_TYPES

MOST_FILES = 300
MOST_TEXT = 2000
_HOLE = re.compile(r"\$\{\s*([a-z]+)\s*\}")
_SPACED = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d+)?) ?(UTC|Z|[-+]\d\d:?\d\d)")
_NO_COMMIT = re.compile(r"0{7,64}")
_FILES: tuple[tuple[ChangeType, tuple[str, ...]], ...] = (
    ("prompt", ("*prompt*",)),
    ("schema", ("*migrations/*", "*.sql", "*.avsc", "*.proto", "*schema*")),
    ("model", ("*models/*", "*.onnx", "*.pkl", "*mlproject*")),
    ("config", ("*",)),
)
"""What a change of files is by their names, the telling ones first; all of them must be of a kind."""


def place_options(thing: str, default: str) -> tuple[Option, ...]:
    """The options that say what entity a change is about."""
    return (
        Option(
            name="entities",
            type="mapping",
            summary=f"Entities by {thing}, which may be a pattern; the first that fits counts.",
            example="{'checkout*': service/checkout}",
        ),
        Option(name="entity", type="text", summary=f"The entity of what no pattern of {thing} fits.", default=default),
    )


class Places:
    """Entities by name. Raises `Misconfigured` for what is no entity."""

    def __init__(self, options: Mapping[str, Any], source: str, default: str) -> None:
        self._default = str(options.get("entity") or default)
        found = options.get("entities") or {}
        self._by_pattern = [(str(pattern), str(entity)) for pattern, entity in found.items()]
        problems = [
            Problem(
                f'source "{source}"', 0, 0, f'entity: "{entity}" is none', "write kind/name, such as service/checkout"
            )
            for entity in (self._default, *(entity for _, entity in self._by_pattern))
            if not re.match(r"[^/\s]+/.", entity)
        ]
        if problems:
            raise Misconfigured(problems)

    def of(self, name: str, fields: Mapping[str, str]) -> str:
        """The entity of a name; ``fields`` are filled into it. "" when one of them is not known."""
        entity = next((entity for pattern, entity in self._by_pattern if fnmatchcase(name, pattern)), self._default)
        if any(not fields.get(hole) for hole in _HOLE.findall(entity)):
            return ""
        return _HOLE.sub(lambda hole: fields[hole[1]][:256], entity)

    def of_files(self, name: str, files: Sequence[str], fields: Mapping[str, str]) -> dict[str, list[str]]:
        """Files by entity, for what has several in one: patterns may say ``name:path``. Without one, the name's."""
        found: dict[str, list[str]] = {}
        for file in files or ("",):
            whole = f"{name}:{file}"
            within = [entity for pattern, entity in self._by_pattern if ":" in pattern and fnmatchcase(whole, pattern)]
            entity = within[0] if within else self.of(name, fields)
            found.setdefault(entity, []).extend([file] if file else [])
        return found


def kind_of_files(files: Sequence[str]) -> ChangeType:
    """The kind of change that the names of files speak of."""
    for kind, patterns in _FILES:
        if files and all(any(fnmatchcase(file.lower(), pattern) for pattern in patterns) for file in files):
            return kind
    return "config"


def files_of(commits: Iterable[Any]) -> list[str]:
    """The files that commits of a push name, each once."""
    found: dict[str, None] = {}
    for commit in commits:
        for part in ("added", "modified", "removed"):
            listed = parts(commit.get(part)) if isinstance(commit, dict) else []
            found |= {file[:500]: None for file in listed if isinstance(file, str)}
    return list(found)[:MOST_FILES]


def parts(value: Any) -> list[Any]:
    """A list that may be missing; what is none holds nothing."""
    return value if isinstance(value, list) else []


def commit_of(sha: Any) -> str:
    """A commit; "" for what stands for none."""
    text = sha.strip() if isinstance(sha, str) else ""
    return "" if _NO_COMMIT.fullmatch(text) else text[:64]


def when(value: Any, now: float) -> float:
    """A time of the sender's, also as ``2026-03-01 10:00:00 +0100``; now, where it has none or is ahead of us."""
    spaced = _SPACED.fullmatch(value.strip()) if isinstance(value, str) else None
    if spaced:
        zone = "Z" if spaced[3] in {"UTC", "Z"} else f"{spaced[3][:3]}:{spaced[3][-2:]}"
        value = f"{spaced[1]}T{spaced[2]}{zone}"
    try:
        at = read_moment(value)
    except ValueError:
        return now
    return now if at is None else min(at, now)


def type_of(name: Any, default: ChangeType) -> ChangeType:
    """The kind of change of that name."""
    return CHANGE_TYPES.get(str(name or "").lower(), default)


def short_text(*parts: Any) -> str:
    """The first part that is a text, in one line."""
    text = next((part for part in parts if isinstance(part, str) and part.strip()), "")
    return text.strip().partition("\n")[0][:MOST_TEXT]


def body_of(request: Request) -> Mapping[str, Any]:
    """The JSON object of a delivery. Raises `BadPayload`, also for a form, which would hold it in a field."""
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise BadPayload(
            "this webhook sends forms; set its content type to application/json", request.body[:4096], "content-type"
        )
    return mapping_of(report_of(request.body), "body")


def told(read: Callable[[], Iterable[ChangeRecord]], request: Request, unused: str = "") -> Received:
    """The answer: the changes that ``read`` finds; an event that says nothing is answered with why."""
    try:
        records = list(read())
        msgspec.msgpack.encode(records)
    except BadPayload as error:
        raise BadPayload(str(error), request.body, error.field) from error
    except (UnicodeEncodeError, OverflowError) as error:
        return Received((), Reply(200), (Rejected(f"cannot be kept: {type(error).__name__}", request.body),))
    said: dict[str, Any] = {"changes": len(records)}
    if not records:
        said["note"] = unused or "nothing took effect by it"
    return Received(records, Reply(200, msgspec.json.encode(said), "application/json"))
