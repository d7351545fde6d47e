"""Providers of all kinds that a site has accounts at: what they offer, and what it has there (spec pull-service-*)."""
