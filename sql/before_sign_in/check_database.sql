-- What can't be set in a transaction, and has to be so.
--
-- Why here:   start-up and migrations check it, after pin_settings; nobody is signed in
-- Parameters: none
-- Returns:    encoding      of the database
--             is_standby    whether the server only follows another one
--             is_template   whether new databases are copies of this one
--             has_schema    whether there is a schema public
--             may_create    whether this login may create in it
--             replica       whether triggers, and so foreign keys, are off (session_replication_role)
--             is_durable    whether a commit waits for the disk (synchronous_commit)
--             login         this login
-- Index:      none: catalogues
-- Locks:      none
SELECT
    pg_catalog.current_setting('server_encoding') AS encoding,
    pg_catalog.pg_is_in_recovery() AS is_standby,
    here.datistemplate AS is_template,
    place.oid IS NOT NULL AS has_schema,
    coalesce(pg_catalog.has_schema_privilege(place.oid, 'CREATE'), FALSE) AS may_create,
    pg_catalog.current_setting('session_replication_role') = 'replica' AS replica,
    pg_catalog.current_setting('synchronous_commit') <> 'off' AS is_durable,
    current_user::text AS login
FROM pg_catalog.pg_database AS here
LEFT JOIN pg_catalog.pg_namespace AS place ON place.nspname = 'public'
WHERE here.datname = pg_catalog.current_database()
