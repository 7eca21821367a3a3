-- How much of a moving window is used.
--
-- Why here:   the limit comes before sign-in; a counter belongs to a client, not to a user
-- Parameters: key      the limited client and route
--             window   seconds
-- Returns:    started   Unix time of the oldest attempt in the window; now, when there is none
--             used      how many attempts are in it
-- Index:      rate_limits_pkey
-- Locks:      none
SELECT
    extract(EPOCH FROM coalesce(pg_catalog.min(hit), clock_timestamp())) AS started,
    pg_catalog.count(hit) AS used
FROM rate_limits AS counter
CROSS JOIN pg_catalog.unnest(counter.hits) AS hit
WHERE counter.key = %(key)s::text
    AND hit > clock_timestamp() - pg_catalog.make_interval(secs => %(window)s::double precision)
