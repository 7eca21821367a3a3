"""Is the schema current and guarded? Migrations, the check of the role, what operators' commands do."""
