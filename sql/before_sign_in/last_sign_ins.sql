-- When some users last signed in, by their events: nothing is known of what is older than EVENTS_DAYS.
--
-- Why here:   an operator's command, run as todo_auth; nobody is signed in
-- Parameters: users   the ids, as the text of an array
-- Returns:    user_id, signed_in_at, for each user with such an event
-- Index:      auth_events_of_user, read from the newest event of each user to the first that is a sign-in
-- Locks:      none
SELECT
    latest.user_id::text AS user_id,
    latest.occurred_at::text AS signed_in_at
FROM (SELECT pg_catalog.unnest(%(users)s::uuid[]) AS user_id) AS wanted
CROSS JOIN LATERAL (
    SELECT
        auth_events.user_id,
        auth_events.occurred_at
    FROM auth_events
    WHERE auth_events.user_id = wanted.user_id
        AND auth_events.event IN ('signup', 'login', 'renewal')
    ORDER BY auth_events.occurred_at DESC
    LIMIT 1
) AS latest
