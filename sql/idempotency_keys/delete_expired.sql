-- Remove the user's oldest keys that are older than 24 hours, and the one that is about to be used if it is.
-- Each create with a key does it in passing: it adds one and removes up to ten, so that they can't pile up.
-- By a range of time, which the index bounds: by a list of keys PostgreSQL may read all keys of the user.
--
-- Parameters: key   the key of the request
-- Returns:    one row for each of the oldest
-- Index:      idempotency_keys_oldest_first for the oldest, idempotency_keys_pkey for the other
-- Locks:      the removed rows, until commit
WITH asked AS (
    DELETE FROM idempotency_keys
    WHERE user_id = %s
        AND key = %(key)s::text
        AND created_at <= now() - interval '24 hours'
)

DELETE FROM idempotency_keys
WHERE user_id = %s
    AND created_at <= (
        SELECT max(oldest.created_at)
        FROM (
            SELECT created_at
            FROM idempotency_keys
            WHERE user_id = %s
                AND created_at <= now() - interval '24 hours'
            ORDER BY created_at
            LIMIT 10
        ) AS oldest
    )
RETURNING user_id
