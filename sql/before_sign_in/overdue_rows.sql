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
WITH old_sessions AS (
    SELECT expires_at
    FROM sessions
    WHERE expires_at <= now() - interval '3 hours'
    ORDER BY expires_at
    LIMIT %(most)s::integer
),

old_keys AS (
    SELECT created_at
    FROM idempotency_keys
    WHERE created_at <= now() - interval '27 hours'
    ORDER BY created_at
    LIMIT %(most)s::integer
),

first_events AS (
    SELECT occurred_at
    FROM auth_events
    ORDER BY id
    LIMIT %(most)s::integer
),

of_sessions AS (
    SELECT pg_catalog.count(old_sessions.expires_at) AS found
    FROM old_sessions
),

of_keys AS (
    SELECT pg_catalog.count(old_keys.created_at) AS found
    FROM old_keys
),

of_events AS (
    SELECT pg_catalog.count(first_events.occurred_at) AS found
    FROM first_events
    WHERE first_events.occurred_at <= now() - pg_catalog.make_interval(days => %(days)s::integer, hours => 3)
        AND %(days)s::integer > 0
)

SELECT
    of_sessions.found AS sessions,
    of_keys.found AS idempotency_keys,
    of_events.found AS auth_events
FROM of_sessions
CROSS JOIN of_keys
CROSS JOIN of_events
