"""The connectors that ship with quell, one folder per vendor; found by entry point ``quell.connectors``."""
