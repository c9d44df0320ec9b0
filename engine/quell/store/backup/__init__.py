"""Backups: a whole store in one file, checked by recovering from it, and put back."""
