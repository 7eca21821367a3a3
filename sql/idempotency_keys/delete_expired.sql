-- Remove the user's oldest keys that are older than 24 hours, and the request's own key if it is older too, each with
-- the answers of its batch, however old these are: answers without a key would be in the way of the next batch with it.
-- Each request with a key runs it: it adds one key and removes up to ten, so that keys can't pile up. The oldest are
-- found by a range of time in the index: for a list of keys PostgreSQL may read all the user's keys.
--
-- Parameters: key       the key of the request
-- Returns:    user_id   one row for each of the oldest keys
-- Index:      idempotency_keys_oldest_first for the oldest keys, idempotency_keys_pkey for the request's key,
--             batch_results_pkey
-- Locks:      the removed rows, until commit
WITH asked AS (
    DELETE FROM idempotency_keys
    WHERE user_id = %s
        AND key = %(key)s::text
        AND created_at <= now() - interval '24 hours'
),

oldest AS (
    DELETE FROM idempotency_keys
    WHERE user_id = %s
        AND created_at <= (
            SELECT pg_catalog.max(by_time.created_at)
            FROM (
                SELECT created_at
                FROM idempotency_keys
                WHERE user_id = %s
                    AND created_at <= now() - interval '24 hours'
                ORDER BY created_at
                LIMIT 10
            ) AS by_time
        )
    RETURNING
        user_id,
        key
),

gone AS MATERIALIZED (
    SELECT key
    FROM oldest
    UNION ALL
    SELECT %(key)s::text AS key
    WHERE NOT EXISTS (
            SELECT FROM idempotency_keys
            WHERE user_id = %s
                AND key = %(key)s::text
                AND created_at > now() - interval '24 hours'
        )
),

answers AS (
    DELETE FROM batch_results
    WHERE user_id = %s
        AND key = ANY(ARRAY(SELECT gone.key FROM gone))
)

SELECT user_id
FROM oldest
WHERE user_id = %s
