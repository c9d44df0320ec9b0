"""Whether the page of an incident goes along an escalation chain."""

from __future__ import annotations

from quell.model.state import State


def on_a_chain(state: State, name: str, chains: frozenset[str]) -> bool:
    """Whether it goes along one of these chains, so that nobody is reminded of it besides."""
    return any(f"{name}/{chain}" in state.climbs for chain in chains)
