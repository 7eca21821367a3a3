"""Todo API: a multi-user task service on Flask, hand-written SQL and PostgreSQL."""
