"""Who keeps an object as it is: what such an owner would set back again must be changed where the owner looks."""

from __future__ import annotations

from quell.errors import Refused
from quell.sdk.cluster import Object, at

_SIGNS = (
    ("annotations", "argocd.argoproj.io/tracking-id", "Argo CD", "use argocd.rollback or argocd.sync"),
    ("labels", "argocd.argoproj.io/instance", "Argo CD", "use argocd.rollback or argocd.sync"),
    ("annotations", "argocd.argoproj.io/instance", "Argo CD", "use argocd.rollback or argocd.sync"),
    ("labels", "kustomize.toolkit.fluxcd.io/name", "Flux (Kustomization)", "change it in git, or suspend Flux first"),
    ("labels", "helm.toolkit.fluxcd.io/name", "Flux (HelmRelease)", "change it in git, or suspend Flux first"),
)
"""Marks that tools leave on what they own. ``app.kubernetes.io/instance`` is none: everybody sets it."""


def owner_of(found: Object) -> tuple[str, str]:
    """The owner in words and what to use instead; ("", "") when nobody owns it."""
    metadata = at(found, "metadata")
    for where, name, owner, instead in _SIGNS:
        value = at(metadata, where, name)
        if value:
            # A tracking id is "<application>:<group>/<kind>:<namespace>/<name>".
            return f'{owner} "{str(value).partition(":")[0]}"', instead
    for reference in at(metadata, "ownerReferences") or []:
        if at(reference, "controller"):
            return f"{at(reference, 'kind')} {at(reference, 'name')}", "change that, which would set it back"
    return "", ""


def must_be_free(found: Object, title: str) -> None:
    """Raises `Refused` for what somebody owns."""
    owner, instead = owner_of(found)
    if owner:
        raise Refused(f"{title} is owned by {owner}, which would set it back; {instead}. Nothing was done")
