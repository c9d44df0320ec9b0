"""Scenarios of test files, run against the real core on a virtual clock, with nothing outside asked."""
