"""Who is asking? Sign-up, login, logout, reset; tokens, passwords, codes, the rate limit."""
