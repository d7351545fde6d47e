"""Facts of the platform that all families share, each written once (spec core section 1)."""
