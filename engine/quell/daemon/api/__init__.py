"""The management API below ``/api/quell/v1``: what quell knows and what people may tell it, as JSON."""
