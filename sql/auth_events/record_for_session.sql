-- Record what happens to sessions of the user, if there are any: before they end, or after one was started.
-- Only after users/take_turn: what is there then is still there when the transaction ends it.
--
-- Parameters: session_id   a living session
--             others       false: it happens to the sign-in of this session; true: to the user's other ones
--             event        see the constraint auth_events_event_known
--             reason       a short text, or null
--             address      the client's address
--             user_agent   at most 256 characters, or null
--             request_id   the request's id, as in its answer and its log line
--             bounded      true: add no row if there are 60 such events of the user within a minute
-- Returns:    nothing
-- Index:      sessions_pkey; auth_events_of_user when bounded
-- Locks:      the user's row against deletion, until commit
WITH own AS (
    SELECT coalesce(sign_in_id, id) AS first_id
    FROM sessions
    WHERE user_id = %s
        AND id = %(session_id)s::uuid
        AND expires_at > now()
),

concerned AS MATERIALIZED (
    SELECT DISTINCT user_id
    FROM sessions
    WHERE user_id = %s
        AND expires_at > now()
        AND %(others)s::boolean = (coalesce(sign_in_id, id) NOT IN (SELECT own.first_id FROM own))
),

recorded_lately AS MATERIALIZED (
    SELECT user_id
    FROM auth_events
    WHERE user_id = %s
        AND occurred_at > now() - pg_catalog.make_interval(mins => 1)
        AND event = %(event)s::text
    ORDER BY occurred_at DESC
    LIMIT 1 OFFSET 59
)

INSERT INTO auth_events (event, reason, user_id, address, user_agent, request_id)
SELECT
    %(event)s::text,
    %(reason)s::text,
    user_id,
    %(address)s::inet,
    %(user_agent)s::text,
    %(request_id)s::text
FROM concerned
WHERE user_id = %s
    AND NOT (%(bounded)s::boolean AND EXISTS (SELECT FROM recorded_lately))
