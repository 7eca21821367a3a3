-- Whether this process of the server knows a prepared statement by this name.
--
-- Why here:   an operator's check asks it, to learn whether a pooler keeps track of them; nobody is signed in
-- Parameters: statement   the name that the client gave it
-- Returns:    found   the name, or no row
-- Index:      none
-- Locks:      none
SELECT known.name AS found
FROM pg_catalog.pg_prepared_statements AS known
WHERE known.name = %(statement)s::text
