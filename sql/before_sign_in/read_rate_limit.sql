-- How much of moving windows is used.
--
-- Why here:   the limit comes before sign-in; a counter belongs to a client, not to a user
-- Parameters: keys     the networks, each with the limited route
--             window   seconds
-- Returns:    started   Unix time of the oldest attempt in the window; now, when there is none
--             used      how many attempts are in it; a row for each network, in their order
-- Index:      rate_limits_pkey
-- Locks:      none
SELECT
    extract(EPOCH FROM coalesce(pg_catalog.min(hit), clock_timestamp()))::double precision AS started,
    pg_catalog.count(hit) AS used
FROM pg_catalog.unnest(%(keys)s::text[]) WITH ORDINALITY AS wanted (key, place)
LEFT JOIN rate_limits AS counter ON wanted.key = counter.key
LEFT JOIN LATERAL pg_catalog.unnest(counter.hits) AS hit
    ON hit > clock_timestamp() - pg_catalog.make_interval(secs => %(window)s::double precision)
GROUP BY wanted.place
ORDER BY wanted.place
