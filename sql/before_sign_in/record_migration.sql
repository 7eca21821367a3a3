-- Record an applied migration, with the checksum of its file.
--
-- Why here:   runs as the owner of the schema, in the migration's own transaction
-- Parameters: id         the file's name without .sql
--             checksum   SHA-256 of the file
-- Returns:    nothing
-- Index:      applied_migrations_pkey
-- Locks:      none that anyone waits for
INSERT INTO applied_migrations (id, checksum)
VALUES (%(id)s::text, %(checksum)s::text)
