-- Which process of PostgreSQL answers. When two open connections get the same one, a pooler is in between
-- that lends it out for a transaction at a time, and a migration lock taken there would be anybody's.
--
-- Why here:   start-up; nobody is signed in
-- Parameters: none
-- Returns:    pid   the process of the server
-- Index:      none
-- Locks:      none
SELECT pg_backend_pid() AS pid
