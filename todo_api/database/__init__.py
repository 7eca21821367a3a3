"""How are statements run? The data-access module: sql/ on pooled connections, one round trip a request."""
