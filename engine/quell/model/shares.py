"""Probabilities in words."""


def percent(share: float) -> str:
    """A probability as people read it: what is small is not nothing."""
    return "<1%" if 0.0 < share < 0.005 else f"{share:.0%}"
