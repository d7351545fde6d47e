"""Quotas: what is counted, its correction, and its daily history (spec quotas)."""
