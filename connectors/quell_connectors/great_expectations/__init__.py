"""Great Expectations' validation results, as alerts per expectation."""

from quell_connectors.great_expectations.connector import GreatExpectations

__all__ = ["GreatExpectations"]
