"""Everything about one entity, for an auditor: a ZIP that proves itself without a daemon (`quell.export.proof`)."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from quell.core.slos import SloView, slo_views
from quell.errors import ExportError
from quell.export.files import written
from quell.export.lines import record_line, value_line
from quell.export.proof import AUDIT, MANIFEST, Anchor, AuditRow, File, Manifest, written_down
from quell.model.alert import Alert
from quell.model.incident import Incident
from quell.model.records import ChangeRecord, DistributionRecord, VersionRecord
from quell.model.rulebook import Rulebook
from quell.model.run import Run
from quell.model.state import State
from quell.store.port import AuditEntry
from quell.store.reading import Reading

_DATE = (1980, 1, 1, 0, 0, 0)
_RULES = frozenset({"reload", "take_rules", "refuse_rules"})
_JSON = msgspec.json.Encoder()
SLO = "slo/"
"""What begins the name of a service level, as an entity begins with its kind."""
Hidden = Callable[[bytes], bytes]


@dataclass(slots=True)
class Known:
    """What is known of the entity without the store: its last state, its rules, and what fires still."""

    state: State | None = None
    rulebook: Rulebook | None = None
    alerts: Iterable[Alert] = ()


@dataclass(slots=True)
class _Found:
    """What belongs to the entity, by id; ``slo`` is the service level whose alerts it is about ("": none)."""

    slo: str = ""
    told: set[str] = field(default_factory=set)
    incidents: set[str] = field(default_factory=set)
    runs: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)


def write_dossier(reading: Reading, about: str, known: Known, out: Path, *, made_at: float, hidden: Hidden) -> Manifest:
    """Writes the file; returns what stands in it. ``hidden`` takes out of a line what nobody may see.

    Raises `ExportError` when nothing is known of ``about``, or the file cannot be written, and StoreError.
    """
    found, files = _Found(slo=about.removeprefix(SLO) if about.startswith(SLO) else ""), []
    with written(out) as part:
        try:
            with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, lines in _parts(reading, about, known, found):
                    files.append(_add(archive, name, map(hidden, lines)))
                ends = _Ends()
                files.append(_add(archive, AUDIT, ends.lines(reading.audit(), found, about, hidden)))
                if not any(one.lines for one in files if one.name != AUDIT) and not ends.own:
                    raise ExportError(f'nothing is known of "{about}"; an entity is called such as model/fraud')
                manifest = Manifest(
                    about=about,
                    made_at=made_at,
                    files=tuple(files),
                    anchor=ends.anchor,
                    head=ends.head,
                    rows_about=tuple(ends.about),
                    masked_rows=tuple(ends.masked),
                    absent=tuple(ends.absent),
                )
                archive.writestr(_info(MANIFEST), written_down(manifest))
        except zipfile.BadZipFile as error:  # pragma: no cover -- more than ZIP has room for
            raise ExportError(f"{out}: {error}; nothing was exported") from error
    return manifest


def _parts(reading: Reading, about: str, known: Known, found: _Found) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Each file's name and lines, in an order in which what comes later belongs to what came before."""
    yield "versions.jsonl", _versions(about, known)
    yield "records.jsonl", _records(reading, about)
    if found.slo:
        alerts = reading.alerts(known=known.alerts)
        found.told = {alert.incident for alert in alerts if alert.incident and _of_slo(alert, found)}
    yield "incidents.jsonl", _incidents(reading, about, found)
    yield "alerts.jsonl", _alerts(reading, about, known, found)
    yield "runs.jsonl", _runs(reading, about, found)
    yield "acts.jsonl", _acts(reading, found)


def _versions(about: str, known: Known) -> Iterator[bytes]:
    """Versions, promotions and schemas as the last saved state and the rules have them; links, changes, levels."""
    state, rulebook = known.state, known.rulebook
    told = state.provenance.get(about) if state is not None else None
    if told is not None:
        for version in told.versions:
            yield value_line(_Line("version", version))
        for promotion in told.promotions:
            yield value_line(_Line("promotion", promotion))
        for teller, schema in told.schemas.items():
            yield value_line(_Line(f"schema told by {teller}", schema))
    for declared in rulebook.versions if rulebook is not None else ():
        if declared.entity == about:
            yield value_line(_Line("version in the rules", declared))
    links = [*(rulebook.dependencies if rulebook is not None else ())]
    links += state.dependencies.values() if state is not None else ()
    for link in links:
        if about in {link.from_, link.to}:
            yield value_line(_Line("dependency", link))
    if state is not None:
        for change in state.changes.values():
            if change.entity == about:
                yield value_line(_Line("change", change))
        for level in levels_of(state, rulebook, about):
            yield value_line(_Line("service level", level))


def levels_of(state: State, rulebook: Rulebook | None, about: str) -> list[SloView]:
    """How the service levels of the entity stood when the state was saved, or those of that name at all entities."""
    views = slo_views(state, rulebook) if rulebook is not None else []
    return [one for one in views if about in {one.entity, f"{SLO}{one.slo}"}]


class _Line(msgspec.Struct, frozen=True):
    what: str
    told: Any


def _records(reading: Reading, about: str) -> Iterator[bytes]:
    """Changes, versions and distributions as they came in. Few values of data are among them: those are left out."""
    for group in chain(reading.distributions(), reading.groups()):
        for record in group.records:
            if isinstance(record, (ChangeRecord, VersionRecord)) and record.entity == about:
                yield record_line(record)
            elif isinstance(record, DistributionRecord) and record.entity == about:
                yield record_line(msgspec.structs.replace(record, samples=[]))


def _incidents(reading: Reading, about: str, found: _Found) -> Iterator[bytes]:
    for incident in reading.incidents():
        if incident.id in found.told or _concerns(incident, about):
            found.incidents.add(incident.id)
            yield value_line(incident)


def _concerns(incident: Incident, about: str) -> bool:
    near = {*incident.entities, *incident.impact}
    return about in near or any(about == one.entity or about in one.path for one in incident.suspects)


def _alerts(reading: Reading, about: str, known: Known, found: _Found) -> Iterator[bytes]:
    """With what was decided of each, and why."""
    for alert in reading.alerts(known=known.alerts):
        if alert.entity == about or alert.incident in found.incidents or _of_slo(alert, found):
            yield value_line(alert)


def _of_slo(alert: Alert, found: _Found) -> bool:
    return bool(found.slo) and alert.labels.get("slo") == found.slo


def _runs(reading: Reading, about: str, found: _Found) -> Iterator[bytes]:
    for run in reading.runs():
        if run.incident in found.incidents or _acts_on(run, about):
            found.runs.add(run.id)
            yield value_line(run)


def _acts_on(run: Run, about: str) -> bool:
    return (
        about in run.targets or about in run.drift.values() or (run.suspect is not None and run.suspect.entity == about)
    )


def _acts(reading: Reading, found: _Found) -> Iterator[bytes]:
    for entry in reading.ledger():
        if entry.perform.run in found.runs or entry.perform.incident in found.incidents:
            found.keys.add(entry.perform.key)
            yield value_line(entry)


class _Ends:
    """The whole audit trail: rows that are about something else are needed to prove those that are about this."""

    def __init__(self) -> None:
        self.anchor = self.head = Anchor()
        self.about: list[int] = []
        self.own = 0
        """Rows about the entity; the others of ``about`` are of the rules."""
        self.masked: list[int] = []
        self.absent: list[str] = []

    def lines(self, entries: Iterable[AuditEntry], found: _Found, about: str, hidden: Hidden) -> Iterator[bytes]:
        """The rows, times as the numbers that were hashed."""
        first = True
        for entry in entries:
            if first:
                self.anchor, first = Anchor(n=entry.n - 1, hash=entry.prev_hash), False
            self.head = Anchor(n=entry.n, hash=entry.hash)
            target, what = entry.audit.target, entry.audit.what
            mine = {about} | found.incidents | found.runs | found.keys
            own = target in mine or about in entry.audit.detail.split()
            self.own += own
            if what == "act" and target not in found.keys and target.partition("/")[0] in found.runs:
                self.absent.append(target)
            if own or what in _RULES:
                self.about.append(entry.n)
            row = AuditRow(n=entry.n, audit=entry.audit, prev_hash=entry.prev_hash, hash=entry.hash)
            line = _JSON.encode(row)
            shown = hidden(line)
            if shown != line:
                self.masked.append(entry.n)
            yield shown


def _add(archive: zipfile.ZipFile, name: str, lines: Iterable[bytes]) -> File:
    count, size, digest = 0, 0, sha256()
    with archive.open(_info(name), "w", force_zip64=True) as stream:
        for line in lines:
            data = line + b"\n"
            digest.update(data)
            stream.write(data)
            count, size = count + 1, size + len(data)
    return File(name=name, lines=count, size=size, sha256=digest.hexdigest())


def _info(name: str) -> zipfile.ZipInfo:
    """No time of its own: the same content gives the same bytes."""
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info
