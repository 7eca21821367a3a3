"""Where does PostgreSQL come from when there is none? A server of our own in DATA_DIR."""
