"""Recorded history under two versions of the rules, and what differs."""
