"""What the tests share: a throw-away PostgreSQL and the fixtures built on it."""
