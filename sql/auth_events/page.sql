-- A page of what happened at the door of the user's account, newest first: what follows a given position.
--
-- Parameters: last_occurred_at   of the previous page's last event; 'infinity' for the first page
--             last_number        the id of the same event
--             page_size          how many events the page holds
-- Returns:    one row for each event, and one more than page_size when there is a next page
-- Index:      auth_events_of_user, read from that position to the end of the page; only events of one moment are sorted
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
    AND (occurred_at, id) < (%(last_occurred_at)s::timestamptz, %(last_number)s::bigint)
ORDER BY occurred_at DESC, id DESC
LIMIT %(page_size)s::integer + 1
