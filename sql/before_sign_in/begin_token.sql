-- Open a transaction for an API token's user, like begin_session, if the token is alive. Otherwise it raises TD401, and
-- no statement that was sent after it runs. With the scope read the transaction is read-only from here on.
--
-- Why here:   it signs the user in, for this transaction
-- Parameters: user_id    as the token names it
--             token_id   made of the token's SHA-256
--             scope      read or write, as the token names it
-- Returns:    nothing of interest
-- Index:      api_tokens_pkey, inside the function
-- Locks:      none; once a day the token's row, until commit, without waiting for it
SELECT
    public.begin_token(
        %(user_id)s::pg_catalog.uuid, %(token_id)s::pg_catalog.uuid, %(scope)s::pg_catalog.text
    )
