"""YAML text becomes a checked rulebook and settings; every problem is shown at its line and column."""
