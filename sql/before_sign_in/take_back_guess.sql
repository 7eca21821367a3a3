-- Say that a counted guess was right, or that nobody looked at it: it counts no longer. A second time does nothing.
--
-- Why here:   a counter belongs to an address, which may have no account
-- Parameters: key          of the counter
--             counted_at   names the guess
-- Returns:    one row, or none if the counter has expired
-- Index:      rate_limits_pkey
-- Locks:      the counter's row, until commit
UPDATE rate_limits
SET
    hits = pg_catalog.array_remove(hits, %(counted_at)s::timestamptz),
    in_flight = pg_catalog.array_remove(in_flight, %(counted_at)s::timestamptz)
WHERE key = %(key)s::text
RETURNING key
