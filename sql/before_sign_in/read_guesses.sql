-- How long a full counter of guesses allows none.
--
-- Why here:   an address without an account has a counter too
-- Parameters: key        of the counter
--             most       how many guesses it takes in a window
--             window     seconds
--             doubt      seconds after which a password is no longer being looked at
-- Returns:    wait         seconds until a guess is allowed; not positive if one is
--             is_in_doubt  whether a counted guess may still turn out to be right; no row without a counter
-- Index:      rate_limits_pkey
-- Locks:      none
SELECT
    extract(EPOCH FROM coalesce(
        (
            SELECT hit
            FROM pg_catalog.unnest(counter.hits) AS hit
            ORDER BY hit DESC
            LIMIT 1 OFFSET %(most)s::bigint - 1
        ) + pg_catalog.make_interval(secs => %(window)s::double precision),
        clock_timestamp()
    ) - clock_timestamp())::double precision AS wait,
    clock_timestamp() - pg_catalog.make_interval(secs => %(doubt)s::double precision) < ANY(counter.in_flight)
        AS is_in_doubt
FROM rate_limits AS counter
WHERE counter.key = %(key)s::text
