"""What is in the registry, told as it changes: models, versions with their runs and datasets, aliases that moved.

Prompts are in it as well: models with a tag, which are searched for on their own. Whoever asks MLflow for a prompt
without a version gets its newest one, so that is an alias too, `LATEST`, which moves with every new version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from quell.errors import Denied, Refused
from quell.model.records import (
    AnyRecord,
    ChangeRecord,
    DependencyRecord,
    EntityRecord,
    SamplesRecord,
    VersionRecord,
)
from quell.sdk.connector import Pulled
from quell.sdk.partitions import whole
from quell_connectors.mlflow.client import Client
from quell_connectors.mlflow.runs import DatasetRead, Run, first_of
from quell_connectors.mlflow.translate import Model, Version, number_of

_MOST_PAGES = 20
MOST_RUNS = 40
"""Runs that are read in one pull; the rest of a large registry is told in the next ones."""
FIRST_VERSIONS = 10
"""Of a model that was not known before, so many of the newest versions are told, and those that aliases point to."""
_OWNERS = ("owner", "team", "mlflow.owner")
_OWN = "mlflow."
LATEST = "latest"
"""The alias by which MLflow gives out the newest version of a prompt."""


class Known(msgspec.Struct, frozen=True):
    """What was told of a model or prompt: the highest version, where aliases pointed, what its tags were."""

    latest: int = 0
    aliases: dict[str, str] = {}
    tags: dict[str, str] = {}
    prompt: bool = False


class Cursor(msgspec.Struct, frozen=True):
    """By model."""

    models: dict[str, Known] = {}


class Registry:
    """Asks for models and tells of those that are new or other than before."""

    def __init__(self, client: Client, options: Mapping[str, Any], source: str) -> None:
        self._client = client
        self._source = source
        self._who = str(options.get("who_tag") or "promoted_by")
        self._pipeline = tuple(str(tag) for tag in options.get("pipeline_tags") or ())

    async def pull(self, cursor: str | None, now: float) -> Pulled:
        """Raises what the client raises; then nothing of this pull counts as told."""
        before = _cursor_of(cursor).models
        prompts = await self._prompts()
        models = await self._models(prompts or [])
        after: dict[str, Known] = {}
        if prompts is None:  # nobody may look at them at the moment: they are not gone
            after = {name: known for name, known in before.items() if known.prompt}
        records: list[AnyRecord] = []
        runs = 0
        for model in models:
            known = before.get(model.name)
            if known is not None and known == _known(model):
                after[model.name] = known
                continue
            if runs >= MOST_RUNS:  # the next pull goes on here
                after |= {model.name: known} if known is not None else {}
                continue
            told, read = await self._model(model, known, now)
            records += told
            runs += read
            after[model.name] = _known(model)
        for name in before.keys() - after.keys() - {model.name for model in models}:
            gone = entity_of(name, prompt=before[name].prompt)
            records.append(EntityRecord(at=now, seen=now, source=self._source, entity=gone, removed=True))
        return Pulled(records, msgspec.json.encode(Cursor(after), order="deterministic").decode())

    async def _models(self, prompts: list[Model]) -> list[Model]:
        """All models, and the prompts that were found before them, by name; some registries list them together."""
        found = {model.name: model for model in [*await self._listed(), *prompts]}
        return sorted(found.values(), key=lambda model: model.name)

    async def _prompts(self) -> list[Model] | None:
        """All prompts; None of a registry that has none, or lets nobody look for them."""
        try:
            return await self._listed(prompts=True)
        except Denied:
            raise
        except Refused:
            return None

    async def _listed(self, *, prompts: bool = False) -> list[Model]:
        found: list[Model] = []
        page = ""
        for _ in range(_MOST_PAGES):
            models, page = await self._client.models(page, prompts=prompts)
            found += models
            if not page:
                break
        return found

    async def _model(self, model: Model, known: Known | None, now: float) -> tuple[list[AnyRecord], int]:
        """The records of a model, and how many runs were read for them."""
        entity = entity_of(model.name, prompt=model.prompt)
        records: list[AnyRecord] = [model_entity(model, self._source, now)]
        runs = 0
        versions = {version.number: version for version in await self._versions(model, known)}
        for version in versions.values():
            run = await self._client.run(version.run_id) if version.run_id else None
            runs += bool(version.run_id)
            records += self._version(entity, version, run, now)
        aliases = known.aliases if known is not None else {}
        for alias, number in sorted(model.aliases.items()):
            if known is None or aliases.get(alias) != number:
                records.append(await self._pointed(model, alias, number, versions.get(number), now))
        for alias in sorted(aliases.keys() - model.aliases.keys()):
            records.append(alias_removed(model, alias, self._source, now))
        if model.prompt and number_of(model.latest) > (known.latest if known is not None else 0):
            records.append(await self._pointed(model, LATEST, model.latest, versions.get(model.latest), now))
        return records, runs

    async def _versions(self, model: Model, known: Known | None) -> list[Version]:
        """The versions that were not told yet, the oldest first."""
        if known is not None and number_of(model.latest) <= known.latest:
            return []
        try:
            versions = await self._client.versions(model.name, prompt=model.prompt)
        except Refused:  # a name that cannot be searched for; its newest one is known all the same
            versions = [await self._client.version(model.name, model.latest)] if model.latest else []
        if known is not None:
            wanted = [version for version in versions if number_of(version.number) > known.latest][:MOST_RUNS]
        else:
            pointed = set(model.aliases.values())
            wanted = [
                version for at, version in enumerate(versions) if at < FIRST_VERSIONS or version.number in pointed
            ]
        return sorted(wanted, key=lambda version: number_of(version.number))

    async def _pointed(
        self, model: Model, alias: str, number: str, version: Version | None, now: float
    ) -> VersionRecord:
        """An alias as it is now; who put it there is in a tag of the version, or of the model."""
        if version is None:
            version = await self._client.version(model.name, number)
        tags = (f"{self._who}.{alias}", self._who)
        who = first_of(version.tags, tags) or first_of(model.tags, tags[:1])
        return VersionRecord(
            at=now, seen=now, source=self._source, entity=entity_of(model.name, prompt=model.prompt), version=number,
            aliases=[alias], promoted_by=who, learned="registry",
        )  # fmt: skip

    def _version(self, entity: str, version: Version, run: Run | None, now: float) -> list[AnyRecord]:
        """A version and what its run says of where it came from."""
        at = min(version.made_at or now, now)
        pipeline = first_of(run.tags, self._pipeline) if run is not None else ""
        maker = f"pipeline/{pipeline}" if pipeline else ""
        user = version.by or (run.user if run is not None else "")
        told = VersionRecord(
            at=at,
            seen=now,
            source=self._source,
            entity=entity,
            version=version.number,
            by=maker or user,
            run=version.run_id,
            commit=run.commit if run is not None else "",
            inputs={_data(one): one.version for one in run.datasets} if run is not None else {},
            labels=_labels(version, run, user),
            url=version.source,
            learned="registry",
        )
        records: list[AnyRecord] = [told]
        if maker:
            records.append(self._edge(entity, maker, "trained_by", now))
        if run is None:
            return records
        for one in run.datasets:
            dataset = _data(one)
            records.append(EntityRecord(at=now, seen=now, source=self._source, entity=dataset, learned="registry"))
            records.append(self._edge(entity, dataset, "trained_on", now))
            if maker:
                records.append(self._edge(maker, dataset, "fed_by", now))
            records.append(
                VersionRecord(
                    at=at,
                    seen=now,
                    source=self._source,
                    entity=dataset,
                    version=one.version,
                    by=entity,
                    columns=one.columns,
                    learned="registry",
                )
            )
        if run.metrics:
            when = min(run.ended_at or at, now)
            values: dict[str, list[float | None]] = {name: [value] for name, value in sorted(run.metrics.items())}
            records.append(
                SamplesRecord(at=when, seen=now, source=self._source, entity=entity, times=[when], values=values)
            )
        return records

    def _edge(self, from_: str, to: str, kind: str, now: float) -> DependencyRecord:
        return DependencyRecord(
            at=now, seen=now, source=self._source, from_=from_, to=to, type=kind, learned="registry"
        )


def _data(one: DatasetRead) -> str:
    """The entity of a dataset that a run logged; of a partition that of all."""
    return f"dataset/{whole(one.name).name}"


def entity_of(name: str, *, prompt: bool = False) -> str:
    """The entity of a registered model, or of a prompt."""
    return f"prompt/{name}" if prompt else f"model/{name}"


def model_entity(model: Model, source: str, now: float) -> EntityRecord:
    """A model or prompt with its tags, and where its aliases point."""
    tags = {name: value for name, value in model.tags.items() if not name.startswith(_OWN) and len(value) <= 256}
    labels = dict(sorted(tags.items())[:40]) | {
        f"alias.{alias}": version for alias, version in sorted(model.aliases.items())[:20]
    }
    return EntityRecord(
        at=now, seen=now, source=source, entity=entity_of(model.name, prompt=model.prompt), labels=labels,
        owner=first_of(model.tags, _OWNERS), learned="registry",
    )  # fmt: skip


def alias_removed(model: Model, alias: str, source: str, at: float) -> ChangeRecord:
    """An alias points nowhere any more."""
    entity = entity_of(model.name, prompt=model.prompt)
    return ChangeRecord(
        at=at, seen=at, source=source, id=f"{entity}@{alias}/removed/{at:.0f}",
        type="prompt" if model.prompt else "model", entity=entity, labels={"alias": alias},
        summary=f"alias {alias} of {entity} was removed",
    )  # fmt: skip


def _labels(version: Version, run: Run | None, user: str) -> dict[str, str]:
    told = {f"tag.{name}": value for name, value in version.tags.items() if not name.startswith(_OWN)}
    told |= {"user": user} if user else {}
    if run is None:
        return told
    told |= {f"param.{name}": value for name, value in run.params.items()}
    told |= {f"metric.{name}": f"{value:.12g}" for name, value in run.metrics.items()}
    source = run.tags.get("mlflow.source.name", "")
    return told | ({"code": source} if source else {})


def _known(model: Model) -> Known:
    return Known(number_of(model.latest) if model.latest else 0, model.aliases, model.tags, model.prompt)


def _cursor_of(text: str | None) -> Cursor:
    try:
        return msgspec.json.decode(text.encode(), type=Cursor) if text else Cursor()
    except msgspec.DecodeError:
        return Cursor()
