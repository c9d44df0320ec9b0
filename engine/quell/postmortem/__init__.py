"""The draft of a post-mortem: what is on record about an incident, in the order in which people tell it."""
