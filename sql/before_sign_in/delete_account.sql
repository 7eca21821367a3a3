-- Delete the signed-in user, and all that is theirs. Only after take_turn_with_password.
--
-- Why here:   no grant lets todo_app remove a user. The function removes the transaction's own, and takes no other.
-- Parameters: none
-- Returns:    nothing of interest
-- Index:      none: inside the function sessions_pkey, task_counts_pkey, users_pkey, auth_events_of_user, and the
--             primary keys of what is deleted with the user
-- Locks:      all rows of the user, until commit. Whoever adds one meanwhile waits, and is refused by the foreign key
SELECT public.delete_account()
