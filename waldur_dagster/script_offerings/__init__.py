"""Offerings that run operators' scripts in containers."""
