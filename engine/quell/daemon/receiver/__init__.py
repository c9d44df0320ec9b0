"""The process in front of the daemon that takes deliveries in: it knows bytes and connections, and nothing of quell.

It is started from here by its path, and imports nothing but the standard library: what it needs is memory, of which it
takes some five megabytes of its own.
"""
