"""Operations of plugins that have got stuck or have ended, and what the marketplace makes of them."""
