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
    extract(EPOCH FROM coalesce(min(hit), clock_timestamp()))::float8 AS started,
    count(hit) AS used
FROM rate_limits
CROSS JOIN unnest(hits) AS hit
WHERE key = %(key)s::text
    AND hit > clock_timestamp() - make_interval(secs => %(window)s::integer)
