"""Running handlers: who calls them in a bucket, how far they have come, and what stops them."""
