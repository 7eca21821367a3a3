"""Plans of the statements in sql/, measured on databases that are filled as in life."""
