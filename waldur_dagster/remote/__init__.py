"""Jobs that talk to another Waldur, whose offerings this site resells (spec remote)."""
