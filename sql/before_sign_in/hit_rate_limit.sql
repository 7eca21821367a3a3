-- Count an attempt against the moving windows of all networks that it comes from, or against none of them if
-- one is full; and remove a few expired counters. Only accepted attempts count, so a client that keeps trying
-- is accepted as soon as its windows allow.
--
-- Why here:   the limit comes before sign-in; a counter belongs to a client, not to a user
-- Parameters: keys       the networks, each with the limited route; take_rate_limit_turn comes first
--             allowed    how many attempts each may have in a window
--             cost       how many attempts this one is worth
--             window     seconds
-- Returns:    accepted   true, a row for each network; no row if a window is full
-- Index:      rate_limits_pkey, rate_limits_expires_at
-- Locks:      the counters' rows, until commit
WITH outdated AS (
    DELETE FROM rate_limits
    WHERE
        key IN (
            SELECT stale.key
            FROM rate_limits AS stale
            WHERE stale.expires_at < now()
                AND stale.key <> ALL(%(keys)s::text[])
            ORDER BY stale.expires_at
            LIMIT 10
            FOR UPDATE SKIP LOCKED
        )
),

wanted AS (
    SELECT
        listed.key,
        (%(allowed)s::integer[])[listed.place::integer] AS allowed
    FROM pg_catalog.unnest(%(keys)s::text[]) WITH ORDINALITY AS listed (key, place)
),

counted AS (
    SELECT
        wanted.key,
        wanted.allowed,
        ARRAY(
            SELECT hit
            FROM pg_catalog.unnest(counter.hits) AS hit
            WHERE hit > clock_timestamp() - pg_catalog.make_interval(secs => %(window)s::double precision)
        ) AS hits
    FROM wanted
    LEFT JOIN rate_limits AS counter ON wanted.key = counter.key
),

verdict AS (
    SELECT pg_catalog.bool_and(allowed >= %(cost)s::integer + pg_catalog.cardinality(hits)) AS is_accepted
    FROM counted
),

attempt AS (
    SELECT
        pg_catalog.array_fill(clock_timestamp(), ARRAY[%(cost)s::integer]) AS hits,
        clock_timestamp() + pg_catalog.make_interval(secs => %(window)s::double precision) AS expires_at
)

INSERT INTO rate_limits AS counter (key, hits, expires_at)
SELECT
    counted.key,
    pg_catalog.array_cat(counted.hits, attempt.hits),
    attempt.expires_at
FROM counted
CROSS JOIN attempt
CROSS JOIN verdict
WHERE verdict.is_accepted
ON CONFLICT (key) DO UPDATE
    SET
        hits = excluded.hits,
        expires_at = excluded.expires_at
RETURNING TRUE AS accepted
