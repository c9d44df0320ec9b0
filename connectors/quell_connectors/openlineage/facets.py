"""Reads facets one by one; what cannot be read is named and left out."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from quell.errors import BadPayload
from quell.sdk.connector import Rejected
from quell.sdk.payload import decode
from quell_connectors.openlineage.shapes import Facets

T = TypeVar("T")
_KEPT = 4096


class Reading:
    """Collects what could not be read of one event."""

    def __init__(self) -> None:
        self.rejected: list[Rejected] = []

    def facet(self, facets: Facets | None, name: str, shape: type[T], whose: str) -> T | None:
        """A facet, or None when it is not there, is deleted or cannot be read."""
        raw = (facets or {}).get(name)
        if raw is None or bytes(raw) == b"null":
            return None
        body = bytes(raw)
        try:
            if decode(body, _Deleted).deleted:
                return None
            return decode(body, shape)
        except BadPayload as error:
            self.refuse(f"facet {name} of {whose}: {error}", body)
            return None

    def refuse(self, reason: str, body: bytes) -> None:
        """Puts a part aside, once."""
        if all(one.reason != reason for one in self.rejected):
            self.rejected.append(Rejected(reason, body[:_KEPT]))


class _Deleted(msgspec.Struct, frozen=True, rename={"deleted": "_deleted"}):
    deleted: bool | None = None
