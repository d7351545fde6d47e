"""Logins with Mobile ID."""
