"""PostgreSQL servers, poolers and proxies of tests, and what is done to them as a DBA."""
