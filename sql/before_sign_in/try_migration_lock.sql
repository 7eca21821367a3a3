-- Try to become the only process that migrates this database. The lock ends with the connection, so a
-- killed process blocks nobody. Polled: waiting in PostgreSQL deadlocks with CREATE INDEX CONCURRENTLY.
--
-- Why here:   start-up; nobody is signed in
-- Parameters: none
-- Returns:    locked   true or false
-- Index:      none
-- Locks:      one advisory lock, until the connection ends
SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtext('todo_api'), pg_catalog.hashtext('migrations')) AS locked
