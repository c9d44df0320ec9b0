"""The core over files: records and recorded deliveries in, results out."""
