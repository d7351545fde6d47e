"""Persistent identifiers of offerings at DataCite, and the works that cite them."""
