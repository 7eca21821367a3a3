-- What others have put into public that a migration could take for PostgreSQL's own or for the service's: an operator,
-- something with the name of a built-in function, or a table of yoyo's. Others are neither superusers nor this login,
-- nor the owner of the database or the schema, nor somebody who has migrated already and so is a member of todo_auth.
--
-- Why here:   a migration runs as the owner of the schema; nobody is signed in
-- Parameters: none
-- Returns:    thing   what it is and whose, five at most
-- Index:      none: catalogues
-- Locks:      none
SELECT planted.thing || ' of ' || role.rolname::text AS thing
FROM (
    SELECT
        'the function ' || made.oid::regprocedure::text AS thing,
        made.proowner AS made_by
    FROM pg_catalog.pg_proc AS made
    WHERE made.pronamespace = 'public'::regnamespace::oid
        AND EXISTS (
            SELECT
            FROM pg_catalog.pg_proc AS builtin
            WHERE builtin.proname = made.proname
                AND builtin.pronamespace = 'pg_catalog'::regnamespace::oid
        )
    UNION ALL
    SELECT
        'the operator ' || made.oid::regoperator::text AS thing,
        made.oprowner AS made_by
    FROM pg_catalog.pg_operator AS made
    WHERE made.oprnamespace = 'public'::regnamespace::oid
    UNION ALL
    SELECT
        'the table ' || made.relname::text AS thing,
        made.relowner AS made_by
    FROM pg_catalog.pg_class AS made
    WHERE made.relnamespace = 'public'::regnamespace::oid
        AND made.relkind IN ('r', 'v', 'm', 'f', 'p')
        AND made.relname::text ~ '^(_?yoyo_.*|applied_migrations)$'
) AS planted
INNER JOIN pg_catalog.pg_roles AS role ON planted.made_by = role.oid
WHERE NOT role.rolsuper
    AND role.rolname <> current_user
    AND NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_database AS here
        WHERE here.datname = pg_catalog.current_database()
            AND here.datdba = role.oid
    )
    AND NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_namespace AS place
        WHERE place.nspname = 'public'
            AND place.nspowner = role.oid
    )
    AND NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_auth_members AS grown
        INNER JOIN pg_catalog.pg_roles AS guarded ON grown.roleid = guarded.oid
        WHERE guarded.rolname = 'todo_auth'
            AND grown.member = role.oid
    )
ORDER BY thing
LIMIT 5
