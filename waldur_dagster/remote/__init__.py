"""Other Waldurs whose offerings are sold here: catalogue, accounts, orders, usage and projects (family remote)."""
