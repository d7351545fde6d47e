"""FreeIPA: people's names, keys and status, and a group for each organization and project (spec people)."""
