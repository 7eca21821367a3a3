-- What a batch with this key was answered, or why it could not be taken, after batches/claim has failed.
--
-- Parameters: key            the client's key
--             request_hash   SHA-256 of the request's body, in hexadecimal digits
--             other_keys     how many other keys of the last 24 hours a user may have
--             max_answers    how many bytes of answers these may have when one more comes
-- Returns:    is_same        whether the key came with this body; null: the key is not there, and another is in the way
--             place          in the batch, of the first operation that a statement did; null: no row was stored
--             answer         the rows of that statement, as a JSON array of arrays
--             room_in        null, or seconds until there is room for a key. No row: there is room by now
-- Index:      idempotency_keys_pkey, idempotency_keys_oldest_first, batch_results_pkey
-- Locks:      none
WITH known AS MATERIALIZED (
    SELECT
        user_id,
        key,
        request_hash = pg_catalog.decode(%(request_hash)s::text, 'hex') AS is_same
    FROM idempotency_keys
    WHERE user_id = %s
        AND key = %(key)s::text
        AND created_at > now() - interval '24 hours'
),

stored AS MATERIALIZED (
    SELECT
        place,
        answer
    FROM batch_results
    WHERE user_id = %s
        AND key = %(key)s::text
),

of_batches AS MATERIALIZED (
    SELECT
        key,
        pg_catalog.sum(pg_catalog.octet_length(answer) + 100) AS bytes
    FROM batch_results
    WHERE user_id = %s
        AND NOT EXISTS (SELECT FROM known)
    GROUP BY key
),

newest_first AS MATERIALIZED (
    SELECT
        idempotency_keys.user_id,
        idempotency_keys.created_at,
        pg_catalog.row_number() OVER (
            ORDER BY idempotency_keys.created_at DESC, idempotency_keys.key ASC
        ) AS number,
        pg_catalog.sum(
            coalesce(pg_catalog.octet_length(idempotency_keys.answer), 0) + coalesce(of_batches.bytes, 0::bigint)
        ) OVER (
            ORDER BY idempotency_keys.created_at DESC, idempotency_keys.key ASC
        )::bigint AS bytes
    FROM idempotency_keys
    LEFT JOIN of_batches ON idempotency_keys.key = of_batches.key
    WHERE idempotency_keys.user_id = %s
        AND idempotency_keys.created_at > now() - interval '24 hours'
        AND NOT EXISTS (SELECT FROM known)
),

in_the_way AS MATERIALIZED (
    SELECT
        user_id,
        created_at
    FROM newest_first
    WHERE number > %(other_keys)s::integer
        OR bytes >= %(max_answers)s::bigint
    ORDER BY number
    LIMIT 1
),

answered AS MATERIALIZED (
    SELECT
        known.user_id,
        known.is_same,
        stored.place,
        stored.answer
    FROM known
    LEFT JOIN stored ON known.is_same
)

SELECT
    is_same,
    place,
    answer,
    NULL::integer AS room_in
FROM answered
WHERE user_id = %s
UNION ALL
SELECT
    NULL::boolean AS is_same,
    NULL::integer AS place,
    NULL::text AS answer,
    pg_catalog.ceil(extract(EPOCH FROM created_at + interval '24 hours' - now()))::integer AS room_in
FROM in_the_way
WHERE user_id = %s
