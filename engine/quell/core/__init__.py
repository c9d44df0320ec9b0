"""The pure middle: records and time in, decisions out; no I/O, clock or randomness."""
