"""Who takes what in a tree of routes, said as plain conjunctions of matchers: what came first takes what it matches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from quell.model.mute import Matcher

MOST_TERMS = 64
Term = tuple[Matcher, ...]


def without(terms: Sequence[Term], taken: Iterable[Term]) -> list[Term] | None:
    """The terms less what others took, as terms no two of which overlap; None when there would be too many.

    "Not (a and b)" is "not a, or a and not b".
    """
    rest = list(terms)
    for term in taken:
        rest = [part for one in rest for part in _less(one, term)]
        if len(rest) > MOST_TERMS:
            return None
    return rest


def _less(term: Term, taken: Term) -> list[Term]:
    parts: list[Term] = []
    kept = term
    for matcher in taken:
        if matcher in kept:
            continue
        opposite = negated(matcher)
        if opposite in kept or excludes(kept, matcher):
            return [*parts, kept]
        parts.append((*kept, opposite))
        kept = (*kept, matcher)
    return parts


def negated(matcher: Matcher) -> Matcher:
    """Its opposite."""
    return replace(matcher, is_equal=not matcher.is_equal)


def excludes(term: Term, matcher: Matcher) -> bool:
    """Whether both ask that one label equals different texts."""
    return any(
        one.name == matcher.name and one.value != matcher.value
        for one in term
        if one.is_equal and not one.is_regex and matcher.is_equal and not matcher.is_regex
    )


def joined(terms: Iterable[Term], more: Term) -> list[Term]:
    """Each term with the matchers of another, less those that nothing can match and matchers that say nothing new."""
    both = (tuple(dict.fromkeys((*term, *more))) for term in terms)
    return [_plainer(term) for term in both if not _never(term)]


def _never(term: Term) -> bool:
    return any(excludes(term, matcher) or negated(matcher) in term for matcher in term)


def _plainer(term: Term) -> Term:
    """Without ``a!="x"`` beside ``a="y"``."""
    equal = {one.name: one.value for one in term if one.is_equal and not one.is_regex}
    return tuple(
        one for one in term
        if one.is_equal or one.is_regex or one.name not in equal or one.value == equal[one.name]
    )  # fmt: skip
