"""All that the author of a connector reads: verbs, declarations, errors by name, an HTTP client and a test kit."""
