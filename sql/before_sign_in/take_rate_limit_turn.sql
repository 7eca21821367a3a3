-- Wait until no other attempt from a network is being counted: the next statement of the transaction then
-- sees every attempt of the network and of those inside it.
--
-- Why here:   the limit comes before sign-in; a counter belongs to a client, not to a user
-- Parameters: key   the widest of the networks that the attempt comes from, and the route
-- Returns:    nothing of interest
-- Index:      none: it reads no table
-- Locks:      an advisory lock of the network and route, until commit
SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(%(key)s::text, 1))
