"""Evidence from telemetry: whose metrics, calls and logs explain what went wrong, with or without alerts of their own.

`weigh.weigh` is the door. Everything is a pure function of the kept signals, the dependency graph and the time when
trouble began.
"""
