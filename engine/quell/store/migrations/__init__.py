"""The schema's history, shipped with the package and applied whenever a store is opened."""
