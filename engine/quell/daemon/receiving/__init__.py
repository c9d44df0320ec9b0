"""The daemon's side of the receiver, the process that takes deliveries in: what comes from it, and its life."""
