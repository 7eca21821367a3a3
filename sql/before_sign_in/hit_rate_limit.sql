-- Count an attempt against a moving window, and remove a few expired counters.
-- Only accepted attempts count, so a client that keeps trying is accepted as soon as its window allows.
--
-- Why here:   the limit comes before sign-in; a counter belongs to a client, not to a user
-- Parameters: key        the limited client and route
--             cost       how many attempts this one is worth
--             allowed    attempts in a window
--             window     seconds
-- Returns:    accepted   whether it was within the limit
-- Index:      rate_limits_pkey, rate_limits_expires_at
-- Locks:      the counter's row, until commit: parallel attempts of one client take turns
WITH outdated AS (
    DELETE FROM rate_limits
    WHERE
        key IN (
            SELECT stale.key
            FROM rate_limits AS stale
            WHERE stale.expires_at < now()
                AND stale.key <> %(key)s::text
            ORDER BY stale.expires_at
            LIMIT 10
            FOR UPDATE SKIP LOCKED
        )
)

INSERT INTO rate_limits AS counter (key, hits, expires_at)
SELECT
    %(key)s::text,
    pg_catalog.array_fill(clock_timestamp(), ARRAY[%(cost)s::integer]),
    clock_timestamp() + pg_catalog.make_interval(secs => %(window)s::double precision)
WHERE %(allowed)s::integer >= %(cost)s::integer
ON CONFLICT (key) DO UPDATE
    SET
        hits = pg_catalog.array_cat(
            ARRAY(
                SELECT hit
                FROM pg_catalog.unnest(counter.hits) AS hit
                WHERE hit > clock_timestamp() - pg_catalog.make_interval(secs => %(window)s::double precision)
            ),
            excluded.hits
        ),
        expires_at = excluded.expires_at
    WHERE %(allowed)s::integer >= %(cost)s::integer + (
        SELECT count(*)
        FROM pg_catalog.unnest(counter.hits) AS hit
        WHERE hit > clock_timestamp() - pg_catalog.make_interval(secs => %(window)s::double precision)
    )
RETURNING TRUE AS accepted
