"""How a run ended: an alert or its end, how long it took, how late it is."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from quell.model.records import AlertRecord, AnyRecord, SamplesRecord
from quell.sdk.moments import read_moment
from quell_connectors.openlineage.datasets import Teller
from quell_connectors.openlineage.shapes import (
    AirflowDagRun,
    AirflowTask,
    ErrorMessage,
    Event,
    Job,
    JobType,
    NominalTime,
    Run,
)

_LONGEST_RUN_S = 14 * 86400.0
_OVER = frozenset({"COMPLETE", "FAIL", "ABORT"})
_UUID7 = 7


@dataclass(frozen=True, slots=True)
class Ending:
    """Tells how a run of a job (``pipeline``) ended; ``severity`` is that of the alert of a failed one."""

    teller: Teller
    pipeline: str
    kind: JobType
    severity: str

    def records(self, event: Event, job: Job) -> list[AnyRecord]:
        """Nothing before a run is over."""
        if event.run is None or event.event_type not in _OVER:
            return []
        values = _durations(event.run, self.teller, self.kind)
        values["run_failed"] = 0.0 if event.event_type == "COMPLETE" else 1.0
        told = SamplesRecord(
            at=self.teller.at,
            seen=self.teller.seen,
            source=self.teller.source,
            entity=self.pipeline,
            times=[self.teller.at],
            values={name: [value] for name, value in sorted(values.items())},
        )
        return [self._alert(event.event_type, event.run, job), told]

    def _alert(self, ended: str, run: Run, job: Job) -> AlertRecord:
        error = self.teller.reading.facet(run.facets, "errorMessage", ErrorMessage, f"run {run.run_id}")
        message = error.message.strip() if error is not None else ""
        first = message.partition("\n")[0][:300]
        deed = {"COMPLETE": "went well", "FAIL": "failed"}.get(ended, "was stopped")
        annotations = {"summary": f"{self.pipeline} {deed}{f': {first}' if first else ''}", "run": run.run_id[:256]}
        if message != first:
            annotations["description"] = message[:4000]
        return AlertRecord(
            at=self.teller.at,
            seen=self.teller.seen,
            source=self.teller.source,
            status="resolved" if ended == "COMPLETE" else "firing",
            key=f"run/{job.namespace}/{self.teller.job(job.name)}"[:1000],
            labels={
                "alertname": "PipelineRunFailed",
                "pipeline": self.pipeline.partition("/")[2],
                "severity": "warning" if ended == "ABORT" else self.severity,
            },
            annotations=annotations,
            entity=self.pipeline,
        )


def _durations(run: Run, teller: Teller, kind: JobType) -> dict[str, float]:
    """Seconds from its beginning, where an event that says that it is over also says when it began."""
    values: dict[str, float] = {}
    began = _began(run, teller, kind)
    if began is not None and 0.0 <= teller.at - began <= _LONGEST_RUN_S:
        values["run_duration_s"] = round(teller.at - began, 3)
    nominal = teller.reading.facet(run.facets, "nominalTime", NominalTime, f"run {run.run_id}")
    due = _moment(nominal.nominal_end_time or nominal.nominal_start_time) if nominal is not None else None
    if due is not None and 0.0 <= teller.at - due <= _LONGEST_RUN_S:
        values["run_lateness_s"] = round(teller.at - due, 3)
    return values


def _began(run: Run, teller: Teller, kind: JobType) -> float | None:
    whose = f"run {run.run_id}"
    task = teller.reading.facet(run.facets, "airflow", AirflowTask, whose)
    if task is not None and task.task_instance is not None and task.task_instance.duration is not None:
        return teller.at - task.task_instance.duration
    whole = teller.reading.facet(run.facets, "airflowDagRun", AirflowDagRun, whose)
    if whole is not None and whole.dag_run is not None and kind.job_type == "DAG":
        return _moment(whole.dag_run.start_date)
    if kind.integration == "AIRFLOW":
        return None  # its run ids hold the logical date and not when the run began
    return _of_id(run.run_id)


def _of_id(run_id: str) -> float | None:
    """Clients that follow the specification make ids that hold when the run began (UUID of version 7)."""
    try:
        told = UUID(run_id)
    except ValueError:
        return None
    return (told.int >> 80) / 1000.0 if told.version == _UUID7 else None


def _moment(text: str | None) -> float | None:
    try:
        return read_moment(text)
    except ValueError:
        return None
