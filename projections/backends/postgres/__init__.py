"""Views in the ledger's PostgreSQL schema; the only place in this package that knows psycopg."""
