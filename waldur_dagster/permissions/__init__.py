"""Who may do what: roles and what their end means."""
