"""Waldur's scheduled background jobs on Waldur's own PostgreSQL database."""
