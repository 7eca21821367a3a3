-- How many connections there are, and how many more bounds allow. Connections of the server's own processes are left
-- out where they are known to be that.
--
-- Why here:   an operator's check looks at it; nobody is signed in
-- Parameters: none
-- Returns:    used             connections of the whole server
--             of_database      of this database
--             database_limit   ALTER DATABASE … CONNECTION LIMIT; null: none
--             of_login         of this login
--             login_limit      ALTER ROLE … CONNECTION LIMIT; null: none
--             is_superuser     whether this login may take those that are kept for superusers
-- Index:      none: catalogues
-- Locks:      none
SELECT
    pg_catalog.count(one.pid) AS used,
    pg_catalog.count(one.pid) FILTER (WHERE one.datid = here.oid) AS of_database,
    nullif(here.datconnlimit, -1) AS database_limit,
    pg_catalog.count(one.pid) FILTER (WHERE one.usesysid = me.oid) AS of_login,
    nullif(me.rolconnlimit, -1) AS login_limit,
    me.rolsuper AS is_superuser
FROM pg_catalog.pg_database AS here
INNER JOIN pg_catalog.pg_roles AS me ON me.rolname = session_user
LEFT JOIN pg_catalog.pg_stat_activity AS one
    ON one.datid IS NOT NULL AND coalesce(one.backend_type, 'client backend') = 'client backend'
WHERE here.datname = pg_catalog.current_database()
GROUP BY here.oid, here.datconnlimit, me.oid, me.rolconnlimit, me.rolsuper
