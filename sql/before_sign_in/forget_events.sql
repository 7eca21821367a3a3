-- Delete the events of a user. On Citus no foreign key does.
--
-- Why here:   an operator's command, run as todo_auth, which may do it for the user of act_for_user only
-- Parameters: user_id   whose
-- Returns:    nothing
-- Index:      auth_events_of_user
-- Locks:      the events' rows, until commit
DELETE FROM auth_events
WHERE user_id = %(user_id)s::uuid
