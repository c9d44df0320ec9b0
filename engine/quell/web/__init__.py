"""Pages for people: what incidents, alerts and runs look like in a browser."""
