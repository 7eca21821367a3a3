-- The commands that take away what others than todo_app and todo_auth may do with the service's objects. Default
-- privileges give others such rights whenever an object is made (Supabase has such defaults).
-- Looked at: tables, their partitions, columns and sequences, views, routines and types. For todo_app and todo_auth:
-- the right to pass their rights on, and the rights on a table that no statement of the service needs.
--
-- Why here:   migrations run what it returns, and start-up refuses to serve if there is any; nobody is signed in
-- Parameters: names   the names of what the migrations and yoyo make, as the text of an array
-- Returns:    command        a REVOKE, or a GRANT that keeps what has to be kept
--             as_todo_auth   whether it has to be run as todo_auth, which owns some of the functions
-- Index:      none: catalogues
-- Locks:      none
WITH RECURSIVE given AS (
    SELECT %(names)s::text[] AS names
),

relations AS (
    SELECT made.oid
    FROM pg_catalog.pg_class AS made
    INNER JOIN given ON made.relname = ANY(given.names)
    WHERE made.relnamespace = 'public'::regnamespace::oid

    UNION

    -- partitions, and the sequences of columns
    SELECT part.objid AS oid
    FROM relations
    INNER JOIN pg_catalog.pg_depend AS part
        ON relations.oid = part.refobjid
            AND part.refclassid = 'pg_catalog.pg_class'::regclass::oid
            AND part.classid = 'pg_catalog.pg_class'::regclass::oid
            AND part.deptype IN ('a', 'i')
),

tables AS (
    SELECT
        made.oid,
        made.relowner AS owner,
        made.relacl AS rights,
        CASE made.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END
        || pg_catalog.quote_ident(space.nspname) || '.' || pg_catalog.quote_ident(made.relname) AS object
    FROM relations
    INNER JOIN pg_catalog.pg_class AS made
        ON relations.oid = made.oid AND made.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    INNER JOIN pg_catalog.pg_namespace AS space ON made.relnamespace = space.oid
),

objects AS (
    SELECT
        tables.owner,
        tables.object,
        tables.rights
    FROM tables

    UNION ALL

    SELECT
        tables.owner,
        tables.object,
        part.attacl AS rights
    FROM tables
    INNER JOIN pg_catalog.pg_attribute AS part ON tables.oid = part.attrelid AND part.attacl IS NOT NULL

    UNION ALL

    SELECT
        made.proowner AS owner,
        'ROUTINE public.' || pg_catalog.quote_ident(made.proname)
        || '(' || pg_catalog.pg_get_function_identity_arguments(made.oid) || ')' AS object,
        coalesce(made.proacl, pg_catalog.acldefault('f', made.proowner)) AS rights
    FROM pg_catalog.pg_proc AS made
    INNER JOIN given ON made.proname = ANY(given.names)
    WHERE made.pronamespace = 'public'::regnamespace::oid

    UNION ALL

    SELECT
        made.typowner AS owner,
        'TYPE public.' || pg_catalog.quote_ident(made.typname) AS object,
        coalesce(made.typacl, pg_catalog.acldefault('T', made.typowner)) AS rights
    FROM pg_catalog.pg_type AS made
    INNER JOIN given ON made.typname = ANY(given.names)
    LEFT JOIN pg_catalog.pg_class AS composite ON made.typrelid = composite.oid
    WHERE made.typnamespace = 'public'::regnamespace::oid
        AND made.typcategory <> 'A'
        AND made.typtype <> 'm'
        -- the row type of a table has the rights of nobody but its owner unless somebody has granted them
        AND (made.typacl IS NOT NULL OR coalesce(composite.relkind, 'c') = 'c')
),

granted AS (
    SELECT
        objects.object,
        one.privilege_type,
        one.is_grantable,
        owner_role.rolname = 'todo_auth' AS as_todo_auth,
        coalesce(pg_catalog.quote_ident(holder.rolname), 'PUBLIC') AS grantee,
        coalesce(holder.rolname IN ('todo_app', 'todo_auth'), FALSE) AS ours
    FROM objects
    CROSS JOIN LATERAL pg_catalog.aclexplode(objects.rights) AS one
    INNER JOIN pg_catalog.pg_roles AS owner_role ON objects.owner = owner_role.oid
    LEFT JOIN pg_catalog.pg_roles AS holder ON one.grantee = holder.oid
    WHERE one.grantee <> objects.owner
)

SELECT
    'REVOKE ALL ON ' || object || ' FROM ' || grantee || ' CASCADE' AS command,
    as_todo_auth
FROM granted
WHERE NOT ours

UNION

SELECT
    'REVOKE GRANT OPTION FOR ALL ON ' || object || ' FROM ' || grantee || ' CASCADE' AS command,
    as_todo_auth
FROM granted
WHERE ours AND is_grantable

UNION

SELECT
    'REVOKE ' || privilege_type || ' ON ' || object || ' FROM ' || grantee || ' CASCADE' AS command,
    as_todo_auth
FROM granted
WHERE ours
    AND pg_catalog.starts_with(object, 'TABLE ')
    AND privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN')

ORDER BY command
