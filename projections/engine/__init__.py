"""How views are kept: folded page by page, rebuilt, watched, and switched."""
