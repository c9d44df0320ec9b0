"""The shapes in which results travel: one validation, a checkpoint's, and what `describe` says of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from quell.errors import BadPayload
from quell.sdk.parts import list_of, mapping_of
from quell.sdk.vocabulary import scalar_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """One validation: the results of its expectations, and what is said of the data. ``place`` is where it stands."""

    results: list[Any]
    place: str
    suite: str = ""
    dataset: str = ""
    version: str = ""
    at: Any = None
    url: str = ""


def validations_of(report: Mapping[str, Any]) -> Iterator[Validation]:
    """The validations in a report. Raises `BadPayload` for what is none."""
    if "results" in report:
        yield _validation(report, "")
    elif "run_results" in report:
        for name, entry in mapping_of(report["run_results"], "run_results").items():
            place = f"run_results.{name[:80]}"
            found = mapping_of(entry, place)
            yield _validation(mapping_of(found.get("validation_result") or found, place), f"{place}.")
    elif "validation_results" in report:
        for index, entry in enumerate(list_of(report["validation_results"], "validation_results")):
            place = f"validation_results[{index}]"
            found = mapping_of(entry, place)
            results = list_of(found.get("expectations"), f"{place}.expectations")
            url = found.get("result_url")
            yield Validation(
                results=results,
                place=f"{place}.expectations",
                dataset=_batch(results),
                url=url if isinstance(url, str) else "",
            )
    else:
        raise BadPayload(
            "not a result of Great Expectations as versions 0.15 to 1.x write it: expected results, run_results or "
            "validation_results",
            field="results",
        )


def _validation(found: Mapping[str, Any], before: str) -> Validation:
    results = list_of(found.get("results"), f"{before}results")
    meta = found.get("meta")
    told: Mapping[str, Any] = meta if isinstance(meta, dict) else {}
    batch, run = told.get("active_batch_definition"), told.get("run_id")
    asset = batch.get("data_asset_name") if isinstance(batch, dict) else None
    url = found.get("result_url")
    return Validation(
        results=results,
        place=f"{before}results",
        suite=scalar_text(found.get("suite_name") or told.get("expectation_suite_name")),
        dataset=scalar_text(asset) or _batch(results),
        version=scalar_text(told.get("great_expectations_version")),
        at=told.get("validation_time") or (run.get("run_time") if isinstance(run, dict) else None),
        url=url if isinstance(url, str) else "",
    )


def _batch(results: list[Any]) -> str:
    """The batch that the first expectation names, as "source-asset"."""
    for entry in results:
        config = entry.get("expectation_config", entry) if isinstance(entry, dict) else None
        kwargs = config.get("kwargs") if isinstance(config, dict) else None
        if isinstance(kwargs, dict) and isinstance(kwargs.get("batch_id"), str):
            return str(kwargs["batch_id"])
    return ""
