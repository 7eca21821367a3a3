"""Who is asking? Sign-up, login, logout; tokens, passwords, the rate limit."""
