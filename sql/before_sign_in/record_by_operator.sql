-- Record what an operator's command did to an account.
--
-- Why here:   run as todo_auth, for the account of somebody else
-- Parameters: event        see the constraint auth_events_event_known
--             user_id      whose account; null if there is none yet, or no longer
--             request_id   one id for all that a command records
-- Returns:    nothing
-- Index:      none: it only adds a row
-- Locks:      the user's row against deletion, until commit
INSERT INTO auth_events (event, reason, user_id, address, request_id)
VALUES (
    %(event)s::text,
    'by the operator',
    %(user_id)s::uuid,
    coalesce(inet_client_addr(), '127.0.0.1'),
    %(request_id)s::text
)
