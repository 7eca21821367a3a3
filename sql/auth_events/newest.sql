-- What happened at the door of the user's account, newest first, for the export.
--
-- Parameters: most   how many events at most
-- Returns:    one row for each event
-- Index:      auth_events_of_user, which is in this order already but for events of one moment
-- Locks:      none
SELECT
    id,
    occurred_at,
    event,
    reason,
    pg_catalog.host(address) AS address,
    user_agent,
    request_id
FROM auth_events
WHERE user_id = %s
ORDER BY occurred_at DESC, id DESC
LIMIT %(most)s::integer
