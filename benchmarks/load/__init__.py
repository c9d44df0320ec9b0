"""What `benchmarks/ingest.py` is made of: alerts, a generator of load, the servers beside each other, and the cases."""
