-- A page of all accounts, by address: those that follow a given one.
--
-- Why here:   an operator's command, run as todo_auth, which sees all accounts; nobody is signed in
-- Parameters: after       the last address of the page before; '' for the first page
--             page_size   how many accounts the page has at most
-- Returns:    user_id, email, created_at, disabled_at, for each account
-- Index:      users_email_key, read from that address to the end of the page: no sort, no OFFSET
-- Locks:      none
SELECT
    user_id::text AS user_id,
    email,
    created_at::text AS created_at,
    disabled_at::text AS disabled_at
FROM users
WHERE pg_catalog.lower(email) > pg_catalog.lower(%(after)s::text)
ORDER BY pg_catalog.lower(email)
LIMIT %(page_size)s::integer
