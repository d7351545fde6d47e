"""Offerings that a site's own agent serves: whether it is there, whose accounts it makes, what it is told."""

OFFERING_TYPE = "Marketplace.Slurm"
