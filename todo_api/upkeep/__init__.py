"""Is the schema current, guarded and swept? Migrations, checks, housekeeping, ending sessions."""
