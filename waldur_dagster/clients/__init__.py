"""Clients of outside systems: one module each; no SQL in here."""
