-- Forget a migration that is about to be rolled back.
--
-- Why here:   runs as the owner of the schema, in the rollback's own transaction
-- Parameters: id   the file's name without .sql
-- Returns:    nothing
-- Index:      applied_migrations_pkey
-- Locks:      the row, until commit
DELETE FROM applied_migrations
WHERE id = %(id)s::text
