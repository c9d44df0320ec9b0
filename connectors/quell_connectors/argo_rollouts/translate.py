"""What a Rollout object says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from quell.sdk.cluster import Object, at


@dataclass(frozen=True, slots=True)
class Rollout:
    """A Rollout as far as quell cares. ``steps`` is 0 for blue-green; ``waiting``: paused by one of its own steps."""

    phase: str
    message: str
    aborted: bool
    paused: bool
    waiting: bool
    updating: bool
    step: int
    steps: int
    weight: int
    images: tuple[str, ...]
    seen: bool

    @classmethod
    def of(cls, found: Object) -> Rollout:
        """Reads spec and status; what is absent is off, as for the controller."""
        status, spec = at(found, "status") or {}, at(found, "spec") or {}
        conditions = status.get("pauseConditions") or []
        return cls(
            phase=str(status.get("phase") or ""),
            message=str(status.get("message") or "")[:300],
            aborted=bool(status.get("abort")),
            paused=bool(spec.get("paused")),
            waiting=bool(conditions),
            updating=status.get("currentPodHash") != status.get("stableRS"),
            step=int(status.get("currentStepIndex") or 0),
            steps=len(at(spec, "strategy", "canary", "steps") or []),
            weight=int(at(status, "canary", "weights", "canary", "weight") or 0),
            images=tuple(str(at(one, "image") or "") for one in at(spec, "template", "spec", "containers") or []),
            # The controller writes the generation that it has seen, as text.
            seen=str(status.get("observedGeneration") or "") == str(at(found, "metadata", "generation") or ""),
        )

    def output(self) -> dict[str, Any]:
        """For the output of a step."""
        return {
            "phase": self.phase,
            "message": self.message,
            "aborted": self.aborted,
            "paused": self.paused,
            "waiting": self.waiting,
            "updating": self.updating,
            "step": self.step,
            "steps": self.steps,
            "weight": self.weight,
            "images": list(self.images),
            "done": self.seen and not self.updating and self.phase == "Healthy",
            "failed": self.phase == "Degraded",
        }
