"""What was configured? Settings from options, the environment and .env; the made JWT_SECRET."""
