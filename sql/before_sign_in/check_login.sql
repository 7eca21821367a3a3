-- What the login that serves may do beyond the service's work. A request works as todo_app, but SQL that got into a
-- statement could leave that role (set_config) for any other that the login may take.
--
-- Why here:   start-up warns of it; nobody is signed in
-- Parameters: names   the names of what the migrations and yoyo make, as the text of an array
-- Returns:    login      the user of the session
--             database   the database, quoted for a command
--             powers     the roles that the login could become and should not, each with the reason
-- Index:      none: catalogues
-- Locks:      none
WITH given AS (
    SELECT %(names)s::text[] AS names
),

me AS (
    SELECT
        login.oid,
        login.rolname,
        login.rolsuper
    FROM pg_catalog.pg_roles AS login
    WHERE login.rolname = session_user
),

owners AS (
    SELECT made.relowner AS oid
    FROM pg_catalog.pg_class AS made
    INNER JOIN given ON made.relname = ANY(given.names)
    WHERE made.relnamespace = 'public'::regnamespace::oid

    UNION

    SELECT made.proowner AS oid
    FROM pg_catalog.pg_proc AS made
    INNER JOIN given ON made.proname = ANY(given.names)
    WHERE made.pronamespace = 'public'::regnamespace::oid

    UNION

    SELECT base.datdba AS oid
    FROM pg_catalog.pg_database AS base
    WHERE base.datname = pg_catalog.current_database()
),

reachable AS (
    SELECT
        candidate.rolname,
        CASE
            WHEN candidate.rolsuper THEN 'superuser'
            WHEN candidate.rolname = 'todo_auth' THEN 'sees all accounts and sessions'
            WHEN candidate.oid IN (SELECT owners.oid FROM owners) THEN 'owner'
            WHEN candidate.rolbypassrls THEN 'BYPASSRLS'
            WHEN candidate.rolcreaterole THEN 'CREATEROLE'
            WHEN candidate.rolreplication THEN 'REPLICATION'
            WHEN candidate.rolname <> 'pg_database_owner' AND pg_catalog.starts_with(candidate.rolname, 'pg_')
                THEN 'predefined'
        END AS reason
    FROM pg_catalog.pg_roles AS candidate
    INNER JOIN me ON candidate.oid = me.oid OR NOT me.rolsuper
    WHERE pg_catalog.pg_has_role(me.oid, candidate.oid, 'MEMBER')

    UNION

    SELECT
        service.rolname,
        'may grant it to others' AS reason
    FROM pg_catalog.pg_auth_members AS membership
    INNER JOIN pg_catalog.pg_roles AS service
        ON membership.roleid = service.oid AND service.rolname = 'todo_app'
    INNER JOIN me ON NOT me.rolsuper
    WHERE membership.admin_option
        AND pg_catalog.pg_has_role(me.oid, membership.member, 'MEMBER')
)

SELECT
    me.rolname::text AS login,
    pg_catalog.quote_ident(pg_catalog.current_database()) AS database,
    ARRAY(
        SELECT reachable.rolname::text || ' (' || reachable.reason || ')'
        FROM reachable
        WHERE reachable.reason IS NOT NULL
        ORDER BY reachable.rolname
    ) AS powers
FROM me
