"""What the site's database says of itself: tables and columns, content types, settings, secrets."""
