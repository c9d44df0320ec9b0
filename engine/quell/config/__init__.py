"""YAML text becomes a checked rulebook and settings; every problem is shown at its line and column."""

from quell.config.building import refused, set_up, unasked
from quell.config.loading import MAIN_FILE, Loaded, RulesAt, check, load, load_file, watched
from quell.config.options import decode_options
from quell.config.settings import Settings, Source, Token

__all__ = [
    "MAIN_FILE",
    "Loaded",
    "RulesAt",
    "Settings",
    "Source",
    "Token",
    "check",
    "decode_options",
    "load",
    "load_file",
    "refused",
    "set_up",
    "unasked",
    "watched",
]
