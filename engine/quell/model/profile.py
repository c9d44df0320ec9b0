"""Reference profiles: what the fields of a dataset, a feature or a model's scores were like when all was well.

A profile is a file in git (`profiles/*.json`), versioned and hashed; records of distributions are compared with it.
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from quell.model.distribution import Distribution
from quell.model.playbook import Place

FORMAT = 1
"""Of the file. A number that this version does not know is refused, never guessed at."""
_NOWHERE = Place(file="<default>", line=0)
_SORTED = msgspec.json.Encoder(order="sorted")


class ProfiledField(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One field: its values' distribution, and the upper edges of the ``bins`` in which numbers are compared."""

    name: str
    values: Distribution
    bins: tuple[float, ...] = ()


class PerDay(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Rows of whole days (UTC): how many days were seen, and the mean, least and most rows of one."""

    days: int
    mean: float
    least: int
    most: int


class Profile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What ``entity`` (dataset/…, feature/…, model/…) was like in ``version``.

    ``rows`` were looked at, ``per_day`` if ``time`` names the field that holds when a row came about. ``created_at`` in
    seconds; ``source`` is where the rows came from. ``hash`` is that of all else (`hash_of`).
    """

    entity: str
    version: str
    fields: tuple[ProfiledField, ...]
    rows: int
    per_day: PerDay | None = None
    time: str = ""
    created_at: float = 0.0
    author: str = ""
    source: str = ""
    hash: str = ""
    place: Place = _NOWHERE

    @property
    def label(self) -> str:
        """How people speak of it."""
        return f"{self.entity} {self.version} ({self.hash[:12]})"


def hash_of(profile: Profile) -> str:
    """Of all that a profile says (64 hex digits); the place of its file is no part of that."""
    plain = msgspec.structs.replace(profile, hash="", place=_NOWHERE)
    return sha256(_SORTED.encode(plain)).hexdigest()


def hashed(profile: Profile) -> Profile:
    """The profile with its hash."""
    return msgspec.structs.replace(profile, hash=hash_of(profile))
