-- Record a refusal of somebody who is not signed in.
--
-- Why here:   there is no signed-in user; user_id is the user of the refused attempt, if known
-- Parameters: event        see the constraint auth_events_event_known
--             reason       a short text, or null
--             user_id      the user of the attempt, or null; a deleted user counts as null
--             address      the client's address
--             user_agent   at most 256 characters, or null
--             request_id   the request's id, as in its answer and its log line
--             bounded      true: add no row if the client has caused 60 within a minute
-- Returns:    nothing
-- Index:      users_pkey; auth_events_of_network inside auth_event_room
-- Locks:      the user's row against deletion; when bounded, an advisory lock of the client's
--             network; both until commit
INSERT INTO auth_events (event, reason, user_id, address, user_agent, request_id)
SELECT
    %(event)s::text,
    %(reason)s::text,
    (SELECT users.user_id FROM users WHERE users.user_id = %(user_id)s::uuid),
    %(address)s::inet,
    %(user_agent)s::text,
    %(request_id)s::text
WHERE CASE WHEN %(bounded)s::boolean THEN public.auth_event_room(%(address)s::inet) ELSE TRUE END
