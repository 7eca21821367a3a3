-- What should have been removed hours ago, and is still there. It counts no further than `most`.
--
-- Why here:   an operator's check looks at it as todo_auth, which sees what has expired; nobody is signed in
-- Parameters: days   how long events are kept; 0: for ever
--             most   how many are counted of each kind
-- Returns:    sessions           that expired more than 3 hours ago
--             idempotency_keys   that are older than 27 hours
--             auth_events        that are 3 hours older than they should be
-- Index:      sessions_by_expiry, idempotency_keys_by_time, auth_events_pkey
-- Locks:      none
SELECT
    of_sessions.found AS sessions,
    of_keys.found AS idempotency_keys,
    of_events.found AS auth_events
FROM (
    SELECT pg_catalog.count(one.id) AS found
    FROM (
        SELECT id
        FROM sessions
        WHERE expires_at <= now() - interval '3 hours'
        LIMIT %(most)s::integer
    ) AS one
) AS of_sessions
CROSS JOIN (
    SELECT pg_catalog.count(one.created_at) AS found
    FROM (
        SELECT created_at
        FROM idempotency_keys
        WHERE created_at <= now() - interval '27 hours'
        LIMIT %(most)s::integer
    ) AS one
) AS of_keys
CROSS JOIN (
    SELECT
        pg_catalog.count(one.occurred_at) FILTER (
            WHERE one.occurred_at <= now() - pg_catalog.make_interval(days => %(days)s::integer, hours => 3)
            AND %(days)s::integer > 0
        ) AS found
    FROM (
        SELECT occurred_at
        FROM auth_events
        ORDER BY id
        LIMIT %(most)s::integer
    ) AS one
) AS of_events
