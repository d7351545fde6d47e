"""A Waldur site to play with: an embedded PostgreSQL server and the rows of a small, lively site."""
