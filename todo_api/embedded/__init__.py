"""Which database is used when DATABASE_URL is unset? An embedded PostgreSQL in DATA_DIR."""
