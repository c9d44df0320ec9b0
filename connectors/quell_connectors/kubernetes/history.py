"""What a Deployment has run: its ReplicaSets, each with a revision and a template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from quell.errors import Refused, Unreachable
from quell.sdk.cluster import Change, Object, at

REVISION = "deployment.kubernetes.io/revision"
_HASH = "pod-template-hash"
_KEPT = frozenset({
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
})  # fmt: skip
"""Annotations that stay those of the Deployment; all others come from the ReplicaSet, as with kubectl."""
MARK = "quell.dev/undo-rollout"
"""Holds the key of the step that wrote the template, in the same write: so a repeat finds its own work."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One ReplicaSet of a Deployment, as far as rolling back goes."""

    number: int
    replica_set: str
    images: tuple[str, ...]
    template: dict[str, Any]
    annotations: dict[str, str]
    version: str = ""

    @property
    def title(self) -> str:
        """For people: ``revision 3 (checkout:v8)``."""
        images = ", ".join(image.rpartition("/")[2] for image in self.images)
        return f"revision {self.number} ({images})"

    def is_meant(self, text: str) -> bool:
        """Whether a person or a change event means it by a ReplicaSet's name, an image, its tag, or a version."""
        tags = {image.rpartition("@")[2].rpartition(":")[2] for image in self.images}
        return text in {self.replica_set, self.version, *self.images, *tags}

    def brief(self) -> dict[str, Any]:
        """For the output of a step."""
        return {"revision": self.number, "replica_set": self.replica_set, "images": list(self.images)}


@dataclass(frozen=True, slots=True)
class History:
    """The revisions of a Deployment, the newest first, and the one that it runs (or is about to)."""

    title: str
    revisions: tuple[Revision, ...]
    current: Revision

    @classmethod
    def of(cls, title: str, deployment: Object, replica_sets: Sequence[Object]) -> History:
        """Raises `Unreachable` while the controller has not taken up the newest template."""
        uid = at(deployment, "metadata", "uid")
        owned = [found for found in replica_sets if _owned(found, uid)]
        revisions = tuple(sorted((_revision(found) for found in owned), key=lambda one: -one.number))
        template = _bare(at(deployment, "spec", "template"))
        current = next((one for one in revisions if one.template == template), None)
        if current is None:
            raise Unreachable(f"{title} has no ReplicaSet of its present template yet; ask again. Nothing was done")
        return cls(title, revisions, current)

    def target(self, to: str) -> Revision:
        """The revision that ``to`` means, "" the one before the present. Raises `Refused` when there is none."""
        if not to:
            earlier = [one for one in self.revisions if one is not self.current]
            if not earlier:
                raise Refused(f"{self.title} has no earlier revision to go back to; nothing was done")
            return earlier[0]
        found = self.find(to)
        if found is None:
            known = ", ".join(one.title for one in self.revisions)[:200]
            raise Refused(f'{self.title} has no revision "{to}"; it has {known}. Nothing was done')
        return found

    def runs(self, text: str) -> bool:
        """Whether the present revision is meant. Raises `Refused` as `find` does."""
        return self.current.is_meant(text) or self.find(text) is self.current

    def find(self, text: str) -> Revision | None:
        """By number, or the newest that is meant by the text.

        Raises `Refused` when these are two: many number their images, and a rollback to another one is no rollback.
        """
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1
        exact = next((one for one in self.revisions if one.number == number), None)
        named = next((one for one in self.revisions if one.is_meant(text)), None)
        if exact is not None and named is not None and not exact.is_meant(text):
            raise Refused(
                f'"{text}" is {exact.title} of {self.title} and is also what {named.title} runs; name the ReplicaSet: '
                f"{exact.replica_set} or {named.replica_set}. Nothing was done"
            )
        return exact or named


def going_back(deployment: Object, target: Revision, key: str) -> Change:
    """The patch that kubectl would send, bound to the version that was read, with our mark."""
    own = at(deployment, "metadata", "annotations") or {}
    annotations = {name: value for name, value in own.items() if name in _KEPT}
    annotations |= {name: value for name, value in target.annotations.items() if name not in _KEPT}
    annotations[MARK] = key
    version = at(deployment, "metadata", "resourceVersion")
    return Change(
        [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
            {"op": "replace", "path": "/spec/template", "value": target.template},
            {"op": "add", "path": "/metadata/annotations", "value": annotations},
        ]
    )


def images_of(template: object) -> tuple[str, ...]:
    """The images of a pod template's containers."""
    return tuple(str(at(one, "image") or "") for one in at(template, "spec", "containers") or [])


def _owned(found: Object, uid: object) -> bool:
    references = at(found, "metadata", "ownerReferences") or []
    return any(at(one, "uid") == uid and at(one, "controller") for one in references) and _number(found) > 0


def _number(found: Object) -> int:
    text = str(at(found, "metadata", "annotations", REVISION) or "")
    return int(text) if text.isascii() and text.isdecimal() else 0


def _revision(found: Object) -> Revision:
    template = _bare(at(found, "spec", "template"))
    labels = at(template, "metadata", "labels") or {}
    return Revision(
        number=_number(found),
        replica_set=str(at(found, "metadata", "name")),
        images=images_of(template),
        template=template,
        annotations=dict(at(found, "metadata", "annotations") or {}),
        version=str(labels.get("app.kubernetes.io/version") or labels.get("version") or ""),
    )


def _bare(template: object) -> dict[str, Any]:
    """A template without the label that tells ReplicaSets apart, which no Deployment has."""
    copy = dict(template) if isinstance(template, dict) else {}
    metadata = dict(at(copy, "metadata") or {})
    labels = {name: value for name, value in (metadata.get("labels") or {}).items() if name != _HASH}
    copy["metadata"] = {**metadata, "labels": labels}
    return copy
