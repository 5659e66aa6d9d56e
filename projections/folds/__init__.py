"""The built-in views: one file per view, a frozen struct and its pure fold."""
