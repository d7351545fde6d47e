"""Bad luck, made on purpose: jobs that run at once, junk in rows, kills. `make chaos` does more of it."""
