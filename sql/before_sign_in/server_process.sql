-- Which process of PostgreSQL answers. If two open connections get the same process, there is a pooler in
-- transaction mode between, and other clients would share a migration lock that is taken there.
--
-- Why here:   start-up; nobody is signed in
-- Parameters: none
-- Returns:    pid   the process of the server
-- Index:      none
-- Locks:      none
SELECT pg_catalog.pg_backend_pid() AS pid
