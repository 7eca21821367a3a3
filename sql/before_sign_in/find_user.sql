-- An account, by its id or its address.
--
-- Why here:   an operator's command, run as todo_auth, which sees all accounts; nobody is signed in
-- Parameters: user_id   the id, or null
--             email     the address, trimmed, NFC, lower case; or null
-- Returns:    user_id, email, created_at, disabled_at; or no row
-- Index:      users_pkey, users_email_key
-- Locks:      none
SELECT
    user_id::text AS user_id,
    email,
    created_at::text AS created_at,
    disabled_at::text AS disabled_at
FROM users
WHERE user_id = %(user_id)s::uuid
    OR pg_catalog.lower(email) = pg_catalog.lower(%(email)s::text)
