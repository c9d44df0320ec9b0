"""The quell command."""
