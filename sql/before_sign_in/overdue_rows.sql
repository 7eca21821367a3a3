-- What should have been removed hours ago, and is still there, but for rate_limits (overdue_rate_limits). It counts no
-- further than `most`.
--
-- Why here:   an operator's check looks at it as todo_auth, which sees what has expired; nobody is signed in
-- Parameters: days   how long events are kept; 0: for ever
--             most   how many are counted of each kind
-- Returns:    kind     the table, if any of its rows should have gone 3 hours ago
--             number   how many
-- Index:      sessions_by_expiry, api_tokens_by_expiry, idempotency_keys_by_time, batch_results_by_time,
--             sign_in_networks_by_day, deleted_tasks_by_time, reset_codes_by_expiry, invites_by_expiry,
--             auth_events_pkey
-- Locks:      none
WITH late_sessions AS (
    SELECT 'sessions'::text AS kind
    FROM sessions
    WHERE expires_at <= now() - interval '3 hours'
    ORDER BY expires_at
    LIMIT %(most)s::integer
),

late_tokens AS (
    SELECT 'api_tokens'::text AS kind
    FROM api_tokens
    WHERE expires_at <= now() - interval '3 hours'
    ORDER BY expires_at
    LIMIT %(most)s::integer
),

late_keys AS (
    SELECT 'idempotency_keys'::text AS kind
    FROM idempotency_keys
    WHERE created_at <= now() - interval '27 hours'
    ORDER BY created_at
    LIMIT %(most)s::integer
),

late_results AS (
    SELECT 'batch_results'::text AS kind
    FROM batch_results
    WHERE created_at <= now() - interval '27 hours'
    ORDER BY created_at
    LIMIT %(most)s::integer
),

late_networks AS (
    SELECT 'sign_in_networks'::text AS kind
    FROM sign_in_networks
    WHERE seen_on < ((now() - interval '3 hours') AT TIME ZONE 'UTC')::date - 90
    ORDER BY seen_on
    LIMIT %(most)s::integer
),

late_deletions AS (
    SELECT 'deleted_tasks'::text AS kind
    FROM deleted_tasks
    WHERE deleted_at <= now() - interval '30 days 3 hours'
    ORDER BY deleted_at
    LIMIT %(most)s::integer
),

late_codes AS (
    SELECT 'reset_codes'::text AS kind
    FROM reset_codes
    WHERE expires_at <= now() - interval '3 hours'
    ORDER BY expires_at
    LIMIT %(most)s::integer
),

late_invites AS (
    SELECT 'invites'::text AS kind
    FROM invites
    WHERE expires_at <= now() - interval '3 hours'
    ORDER BY expires_at
    LIMIT %(most)s::integer
),

first_events AS (
    SELECT occurred_at
    FROM auth_events
    ORDER BY id
    LIMIT %(most)s::integer
),

late_events AS (
    SELECT 'auth_events'::text AS kind
    FROM first_events
    WHERE first_events.occurred_at <= now() - pg_catalog.make_interval(days => %(days)s::integer, hours => 3)
        AND %(days)s::integer > 0
),

late AS (
    SELECT late_sessions.kind
    FROM late_sessions
    UNION ALL
    SELECT late_tokens.kind
    FROM late_tokens
    UNION ALL
    SELECT late_keys.kind
    FROM late_keys
    UNION ALL
    SELECT late_results.kind
    FROM late_results
    UNION ALL
    SELECT late_networks.kind
    FROM late_networks
    UNION ALL
    SELECT late_deletions.kind
    FROM late_deletions
    UNION ALL
    SELECT late_codes.kind
    FROM late_codes
    UNION ALL
    SELECT late_invites.kind
    FROM late_invites
    UNION ALL
    SELECT late_events.kind
    FROM late_events
)

SELECT
    late.kind,
    pg_catalog.count(late.kind) AS number
FROM late
GROUP BY late.kind
