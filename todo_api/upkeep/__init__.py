"""Is the schema current and guarded? Migrations, the check of the role, the command that ends sessions."""
