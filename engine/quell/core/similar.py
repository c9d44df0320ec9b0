"""Past incidents like one at hand, with what ended them, and open ones that may be the same trouble.

Likeness has three parts: what was said (hashed TF-IDF over the names and summaries of the alerts), where it showed
(the share of entities that both have), and whether the same entity was the first suspect. All incidents are compared
in one sparse product, so thousands cost milliseconds; nothing is learned or kept, and the order of what is given does
not matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import msgspec

from quell.core.remedies import QUELL
from quell.model.incident import Incident, Remedy
from quell.model.times import format_duration

TEXT_SHARE = 0.55
PLACE_SHARE = 0.3
CAUSE_SHARE = 0.15
LEAST = 0.35
"""Below this likeness nothing is shown: half the words alone are no likeness."""
DUPLICATE = 0.7
"""An open incident this much alike may be the same trouble."""
MOST_SHOWN = 5
_FEATURES = 2**18
_NAME_COUNTS = 2
"""The name of a rule says more than a word of its summary."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+")


class Like(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One incident that is like the one asked about; ``likeness`` in [0, 1], ``text`` says what to know of it.

    ``words``, ``places`` and ``same_cause`` are its parts. ``confirmed``: a person said that ``cause`` was right.
    """

    incident: str
    title: str
    status: str
    likeness: float
    words: float
    places: float
    opened_at: float
    text: str
    same_cause: bool = False
    resolved_at: float | None = None
    shared: tuple[str, ...] = ()
    cause: str = ""
    confirmed: bool = False
    remedies: tuple[Remedy, ...] = ()


class Likes(msgspec.Struct, frozen=True, kw_only=True):
    """``past`` are over; ``open`` are not, and near duplicates. Both most alike first."""

    past: tuple[Like, ...] = ()
    open: tuple[Like, ...] = ()


def similar(asked: Incident, known: Iterable[Incident], most: int = MOST_SHOWN) -> Likes:
    """The incidents among ``known`` that are like ``asked``. Of an id that is given twice the newer version counts."""
    newest: dict[str, Incident] = {}
    for one in known:
        if one.id != asked.id and (one.is_open or one.status == "resolved"):
            held = newest.get(one.id)
            if held is None or held.version < one.version:
                newest[one.id] = one
    others = [newest[name] for name in sorted(newest)]
    if not others:
        return Likes()
    words = _words_alike(asked, others)
    found = [like for other, alike in zip(others, words, strict=True) if (like := _like(asked, other, alike))]
    found.sort(key=lambda like: (-like.likeness, -like.opened_at, like.incident))
    past = [like for like in found if like.status == "resolved"]
    still = [like for like in found if like.status != "resolved" and like.likeness >= DUPLICATE]
    return Likes(past=tuple(past[:most]), open=tuple(still[:most]))


def lines(likes: Likes) -> Iterator[str]:
    """The same for people, a line each."""
    for like in likes.open:
        yield f"Alike and open: {like.incident} ({like.likeness:.0%} alike): {like.title}"
    for like in likes.past:
        yield f"Similar before: {like.incident} ({like.likeness:.0%} alike): {like.title}; {like.text}"


def tokens(incident: Incident) -> list[str]:
    """What an incident says, as words: names of rules whole and in parts, summaries without numbers and names."""
    found: list[str] = []
    entities = {part for entity in incident.entities for part in _words(entity)}
    for symptom in incident.symptoms or (incident.title.partition(": ")[2],):
        name = symptom.partition(":")[0]
        found += [f"rule:{name.strip().lower()}"] * _NAME_COUNTS
        found += [word for word in _words(symptom) if len(word) > 1 and word not in entities]
    return found


@lru_cache(maxsize=16_384)
def _words(text: str) -> tuple[str, ...]:
    """Incidents repeat the texts of their rules."""
    return tuple(word.lower() for word in _WORD.findall(text))


def _words_alike(asked: Incident, others: Sequence[Incident]) -> list[float]:
    """Cosine of the TF-IDF vectors, rounded so that no machine's arithmetic decides an order."""
    from sklearn.feature_extraction.text import (  # noqa: PLC0415 - a second of import, for those who ask
        HashingVectorizer,
        TfidfTransformer,
    )

    hashed = HashingVectorizer(analyzer=tokens, n_features=_FEATURES, alternate_sign=False, norm=None)
    counts = hashed.transform([asked, *others])
    weighed = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
    alike = (weighed[1:] @ weighed[0].T).toarray().ravel()
    return [round(min(max(float(one), 0.0), 1.0), 6) for one in alike]


def _like(asked: Incident, other: Incident, words: float) -> Like | None:
    """What to know of another incident; None when it is hardly alike."""
    mine, theirs = set(asked.entities), set(other.entities)
    shared = mine & theirs
    places = len(shared) / len(mine | theirs) if shared else 0.0
    cause = other.suspects[0].entity if other.suspects else ""
    same_cause = bool(cause) and bool(asked.suspects) and asked.suspects[0].entity == cause
    likeness = TEXT_SHARE * words + PLACE_SHARE * places + CAUSE_SHARE * same_cause
    if likeness < LEAST:
        return None
    confirmed = _confirmed(other)
    return Like(
        incident=other.id,
        title=other.title,
        status=other.status,
        likeness=round(likeness, 4),
        words=words,
        places=round(places, 4),
        same_cause=same_cause,
        opened_at=other.opened_at,
        resolved_at=other.resolved_at,
        shared=tuple(entity for entity in asked.entities if entity in shared),
        cause=cause,
        confirmed=confirmed,
        remedies=other.remedies,
        text=_ending(other, cause, confirmed=confirmed),
    )


def _confirmed(incident: Incident) -> bool:
    """Whether the last judgement of a person on the cause was that it is right."""
    said = [entry.text.partition(":")[0] for entry in incident.timeline if entry.what == "feedback"]
    judged = [word for word in said if word in {"right cause", "wrong cause"}]
    return bool(judged) and judged[-1] == "right cause"


def _ending(incident: Incident, cause: str, *, confirmed: bool) -> str:
    """What its cause was and what ended it, in a sentence."""
    because = f"cause {cause}" + (" (confirmed)" if confirmed else "") if cause else "no cause named"
    lasted = f" after {format_duration(incident.resolved_at - incident.opened_at)}" if incident.resolved_at else ""
    if incident.is_open:
        return f"{because}; still open"
    kinds = {"playbook": "playbook ", "rollback": "", "note": ""}
    told = [
        f"{kinds[each.kind]}{each.text}" + (f" ({each.by})" if each.by and each.by != QUELL else "")
        for each in incident.remedies
    ]
    return f"{because}; ended{lasted}: " + ("; ".join(told) if told else "by itself, as far as quell knows")
