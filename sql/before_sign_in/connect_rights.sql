-- Who may connect to this database, beside its owner and the login that serves. todo_app and todo_auth belong to the
-- whole server: the login of another deployment has them too, and everybody may connect unless it is revoked.
--
-- Why here:   migrating closes the database, and start-up looks at it; nobody is signed in
-- Parameters: login   the login that serves, or null for the user of this session
--             names   the names of what the migrations and yoyo make, as the text of an array
-- Returns:    commands   what closes the database to others; empty when it is closed
--             may        whether the user of this session may run the commands
--             alone      whether the database holds nothing but the service
--             known      whether there is such a login
--             strangers  other logins that may work as todo_app or todo_auth and need no grant to connect
--             narrow     those of them that neither own a database nor were granted one: each may be a login
--                        of this service
--             insiders   logins with a grant to connect that could become todo_auth, and don't own the tables
-- Index:      none: catalogues
-- Locks:      none
WITH given AS (
    SELECT
        coalesce(%(login)s::text, session_user) AS login,
        %(names)s::text[] AS names
),

here AS (
    SELECT
        base.datdba,
        pg_catalog.quote_ident(base.datname) AS named,
        coalesce(base.datacl, pg_catalog.acldefault('d', base.datdba)) AS rights
    FROM pg_catalog.pg_database AS base
    WHERE base.datname = pg_catalog.current_database()
),

granted AS (
    SELECT
        one.grantee,
        one.privilege_type
    FROM here
    CROSS JOIN LATERAL pg_catalog.aclexplode(here.rights) AS one
),

admitted AS (
    -- every login that may connect by a grant of its own
    SELECT login.oid
    FROM pg_catalog.pg_roles AS login
    INNER JOIN granted ON granted.grantee <> 0::oid AND granted.privilege_type = 'CONNECT'
    WHERE pg_catalog.pg_has_role(login.oid, nullif(granted.grantee, 0::oid), 'USAGE')
),

serving AS (
    SELECT
        login.oid,
        pg_catalog.quote_ident(login.rolname) AS named
    FROM pg_catalog.pg_roles AS login
    INNER JOIN given ON login.rolname = given.login
),

others AS (
    SELECT DISTINCT
        stranger.oid,
        stranger.rolname
    FROM pg_catalog.pg_roles AS stranger
    INNER JOIN pg_catalog.pg_roles AS service
        ON service.rolname IN ('todo_app', 'todo_auth')
            AND pg_catalog.pg_has_role(stranger.oid, service.oid, 'MEMBER')
    CROSS JOIN here
    WHERE stranger.rolcanlogin
        AND NOT stranger.rolsuper
        AND stranger.rolname NOT IN (session_user, 'todo_app', 'todo_auth')
        AND NOT pg_catalog.pg_has_role(stranger.oid, here.datdba, 'MEMBER')
        AND stranger.oid NOT IN (SELECT admitted.oid FROM admitted)
        AND stranger.oid NOT IN (SELECT serving.oid FROM serving)
),

elsewhere AS (
    SELECT base.datdba AS oid
    FROM pg_catalog.pg_database AS base

    UNION

    SELECT one.grantee AS oid
    FROM pg_catalog.pg_database AS base
    CROSS JOIN LATERAL pg_catalog.aclexplode(base.datacl) AS one
    WHERE one.privilege_type = 'CONNECT'
),

insiders AS (
    SELECT insider.rolname
    FROM pg_catalog.pg_roles AS insider
    INNER JOIN pg_catalog.pg_roles AS service
        ON service.rolname = 'todo_auth' AND pg_catalog.pg_has_role(insider.oid, service.oid, 'MEMBER')
    INNER JOIN pg_catalog.pg_class AS record
        ON record.relnamespace = 'public'::regnamespace::oid AND record.relname = 'applied_migrations'
    CROSS JOIN here
    WHERE insider.rolcanlogin
        AND NOT insider.rolsuper
        AND insider.rolname <> session_user
        AND insider.oid IN (SELECT admitted.oid FROM admitted)
        AND NOT pg_catalog.pg_has_role(insider.oid, here.datdba, 'MEMBER')
        AND NOT pg_catalog.pg_has_role(insider.oid, record.relowner, 'MEMBER')
),

foreign_things AS (
    SELECT space.oid
    FROM pg_catalog.pg_namespace AS space
    WHERE space.nspname NOT IN ('public', 'information_schema')
        AND NOT pg_catalog.starts_with(space.nspname, 'pg_')

    UNION ALL

    SELECT made.oid
    FROM pg_catalog.pg_class AS made
    CROSS JOIN given
    LEFT JOIN pg_catalog.pg_depend AS part
        ON made.oid = part.objid
            AND part.classid = 'pg_catalog.pg_class'::regclass::oid
            AND part.deptype = 'e'
    WHERE made.relnamespace = 'public'::regnamespace::oid
        AND made.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND NOT made.relispartition
        AND NOT made.relname = ANY(given.names)
        AND part.objid IS NULL
)

SELECT
    pg_catalog.array_cat(
        ARRAY(
            SELECT 'GRANT CONNECT ON DATABASE ' || here.named || ' TO ' || serving.named
            FROM serving
            WHERE serving.oid NOT IN (SELECT admitted.oid FROM admitted)
        ),
        ARRAY(
            SELECT
                'REVOKE ' || pg_catalog.string_agg(granted.privilege_type, ', ' ORDER BY granted.privilege_type)
                || ' ON DATABASE ' || here.named || ' FROM PUBLIC'
            FROM granted
            WHERE granted.grantee = 0::oid
            HAVING pg_catalog.count(*) > 0
        )
    ) AS commands,
    pg_catalog.pg_has_role(session_user, here.datdba, 'MEMBER') AS may,
    (SELECT pg_catalog.count(*) = 0 FROM foreign_things) AS alone,
    (SELECT pg_catalog.count(*) > 0 FROM serving) AS known,
    ARRAY(
        SELECT others.rolname::text
        FROM others
        ORDER BY others.rolname
    ) AS strangers,
    ARRAY(
        SELECT others.rolname::text
        FROM others
        WHERE others.oid NOT IN (SELECT elsewhere.oid FROM elsewhere)
        ORDER BY others.rolname
    ) AS narrow,
    ARRAY(
        SELECT insiders.rolname::text
        FROM insiders
        ORDER BY insiders.rolname
    ) AS insiders
FROM here
