"""The embedded PostgreSQL: what it survives, and what it leaves behind (nothing)."""
