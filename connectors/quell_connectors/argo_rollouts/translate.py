"""What a Rollout object says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from quell.sdk.cluster import Object, at


@dataclass(frozen=True, slots=True)
class Rollout:
    """A Rollout as far as quell cares. ``steps`` is 0 for blue-green; ``waiting``: paused by one of its own steps.

    ``weights`` are what its steps set, by index, None for those that set none.
    """

    phase: str
    message: str
    aborted: bool
    paused: bool
    waiting: bool
    updating: bool
    step: int
    steps: int
    weights: tuple[int | None, ...]
    weight: int
    images: tuple[str, ...]
    seen: bool

    @classmethod
    def of(cls, found: Object) -> Rollout:
        """Reads spec and status; what is absent is off, as for the controller."""
        status, spec = at(found, "status") or {}, at(found, "spec") or {}
        conditions = status.get("pauseConditions") or []
        steps = at(spec, "strategy", "canary", "steps") or []
        return cls(
            phase=str(status.get("phase") or ""),
            message=str(status.get("message") or "")[:300],
            aborted=bool(status.get("abort")),
            paused=bool(spec.get("paused")),
            waiting=bool(conditions),
            updating=status.get("currentPodHash") != status.get("stableRS"),
            step=int(status.get("currentStepIndex") or 0),
            steps=len(steps),
            weights=tuple(None if at(step, "setWeight") is None else int(at(step, "setWeight")) for step in steps),
            weight=int(at(status, "canary", "weights", "canary", "weight") or 0),
            images=tuple(str(at(one, "image") or "") for one in at(spec, "template", "spec", "containers") or []),
            # The controller writes the generation that it has seen, as text.
            seen=str(status.get("observedGeneration") or "") == str(at(found, "metadata", "generation") or ""),
        )

    @property
    def asked(self) -> int:
        """The share in per cent that the steps ask for so far: 0 before the first, 100 behind the last."""
        if self.steps and self.step >= self.steps:
            return 100
        return next((weight for weight in reversed(self.weights[: self.step + 1]) if weight is not None), 0)

    @property
    def below(self) -> int:
        """The share that the steps asked for before that; -1 where there is none but 0."""
        before = [weight for weight in self.weights[: self.step] if weight is not None and weight < self.asked]
        return before[-1] if before else -1

    @property
    def setting(self) -> bool:
        """Whether a weight is being set."""
        return self.step < self.steps and self.weights[self.step] is not None

    def step_below(self, weight: int) -> int | None:
        """The last step so far that sets no more than this weight; None where there is none."""
        for at_step in range(min(self.step, self.steps - 1), -1, -1):
            sets = self.weights[at_step]
            if sets is not None and sets <= weight:
                return at_step
        return None

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
            "asked": self.asked,
            "below": self.below,
            "setting": self.setting,
            "images": list(self.images),
            "done": self.seen and not self.updating and self.phase == "Healthy",
            "failed": self.phase == "Degraded",
        }
