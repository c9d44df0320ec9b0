"""Typed values that travel between the parts of quell: no I/O, no clock, no behaviour beyond their own fields.

Times are ``float`` seconds since the Unix epoch, UTC; durations are ``float`` seconds and end in ``_s``.
"""
