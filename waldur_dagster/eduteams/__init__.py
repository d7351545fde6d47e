"""People who came through eduTEAMS: their profiles and their SSH keys (spec people)."""
