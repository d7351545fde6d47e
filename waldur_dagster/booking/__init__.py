"""Bookings: resources of an offering that are used at certain times."""
