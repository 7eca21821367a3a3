-- Let Citus change the shards of a table one by one. With several connections to a worker it would refuse, for
-- instance, a change of users after one of tasks in the same transaction. Without Citus the setting means nothing.
--
-- Why here:   migrations run it first; nobody is signed in
-- Parameters: none
-- Returns:    nothing of interest
-- Index:      none
-- Locks:      none
SELECT pg_catalog.set_config('citus.multi_shard_modify_mode', 'sequential', FALSE)
