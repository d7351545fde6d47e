"""Resources and orders of the marketplace: their events, states, terminations and reminders."""
