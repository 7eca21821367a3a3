-- Say that a counted guess was wrong: it counts for the whole window.
--
-- Why here:   an address without an account has a counter too
-- Parameters: key          of the counter
--             counted_at   names the guess
-- Returns:    one row, or none if the counter has expired
-- Index:      rate_limits_pkey
-- Locks:      the counter's row, until commit
UPDATE rate_limits
SET in_flight = pg_catalog.array_remove(in_flight, %(counted_at)s::timestamptz)
WHERE key = %(key)s::text
RETURNING key
