"""From tables in files to distributions and profiles, a chunk at a time."""
