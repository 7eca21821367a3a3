-- The role of this transaction, and everything that would let it bypass row security.
--
-- Why here:   start-up checks it, and serves only if it is safe; nobody is signed in
-- Parameters: names   the names of what the migrations and yoyo make, as the text of an array
-- Returns:    role        the role of this transaction
--             bypasses    of this role and the roles that it could become, those that bypass row security or
--                         the grants: superusers, BYPASSRLS, CREATEROLE, REPLICATION, todo_auth, PostgreSQL's
--                         predefined pg_ roles
--             owns        the tables and routines that this role, or a role that it could become, owns
--             unguarded   the tables with a user_id whose row security is off or not forced; tables of other
--                         programs, which neither have such a name nor the owner of the service's, are left out
--             exceeds     what this role may do with the same tables and no migration has granted; default
--                         privileges can name it too
-- Index:      none: catalogues
-- Locks:      none
WITH given AS (
    SELECT %(names)s::text[] AS names
),

made AS (
    -- the service's tables, and others of their owner
    SELECT
        one.oid,
        one.relname,
        one.relrowsecurity,
        one.relforcerowsecurity
    FROM pg_catalog.pg_class AS one
    CROSS JOIN given
    WHERE one.relnamespace = 'public'::regnamespace::oid
        AND one.relkind IN ('r', 'p')
        AND (
            one.relname = ANY(given.names)
            OR one.relowner = (
                SELECT record.relowner
                FROM pg_catalog.pg_class AS record
                WHERE record.relnamespace = 'public'::regnamespace::oid AND record.relname = 'applied_migrations'
            )
        )
)

SELECT
    current_user::text AS role,
    ARRAY(
        SELECT candidate.rolname::text
        FROM pg_catalog.pg_roles AS candidate
        WHERE pg_catalog.pg_has_role(current_user, candidate.oid, 'MEMBER')
            AND (
                candidate.rolsuper
                OR candidate.rolbypassrls
                OR candidate.rolcreaterole
                OR candidate.rolreplication
                OR candidate.rolname = 'todo_auth'
                OR pg_catalog.starts_with(candidate.rolname, 'pg_')
            )
        ORDER BY candidate.rolname
    ) AS bypasses,
    ARRAY(
        SELECT owned.relname::text
        FROM pg_catalog.pg_class AS owned
        WHERE owned.relnamespace = 'public'::regnamespace::oid
            AND owned.relkind IN ('r', 'p', 'v', 'm', 'f')
            AND pg_catalog.pg_has_role(current_user, owned.relowner, 'MEMBER')
        UNION
        SELECT owned.proname::text
        FROM pg_catalog.pg_proc AS owned
        WHERE owned.pronamespace = 'public'::regnamespace::oid
            AND owned.proowner::regrole::text <> 'todo_auth'
            AND pg_catalog.pg_has_role(current_user, owned.proowner, 'MEMBER')
        ORDER BY relname
    ) AS owns,
    ARRAY(
        SELECT guarded.relname::text
        FROM made AS guarded
        INNER JOIN pg_catalog.pg_attribute AS owner_column
            ON guarded.oid = owner_column.attrelid AND owner_column.attname = 'user_id'
        WHERE NOT (guarded.relrowsecurity AND guarded.relforcerowsecurity)
        ORDER BY guarded.relname
    ) AS unguarded,
    ARRAY(
        SELECT pg_catalog.upper(privilege.kind) || ' ' || made.relname::text || '.' || part.attname::text AS excess
        FROM made
        INNER JOIN pg_catalog.pg_attribute AS part ON made.oid = part.attrelid
        -- in small letters: a statement that begins with WITH and has one of these words counts as one that writes
        INNER JOIN (
            VALUES
            ('select', 'users', 'password_hash'),
            ('update', NULL, 'user_id'),
            ('update', 'auth_events', 'reason'),
            ('insert', 'applied_migrations', 'checksum'),
            ('update', 'applied_migrations', 'checksum')
        ) AS privilege (kind, relname, attname)
            ON part.attname = privilege.attname AND coalesce(privilege.relname, made.relname) = made.relname
        WHERE pg_catalog.has_column_privilege(current_user, made.oid, part.attnum, privilege.kind)
        UNION
        SELECT pg_catalog.upper('delete ') || kept.relname::text
        FROM pg_catalog.pg_class AS kept
        WHERE kept.relnamespace = 'public'::regnamespace::oid
            AND kept.relname IN ('users', 'auth_events', 'applied_migrations')
            AND pg_catalog.has_table_privilege(current_user, kept.oid, 'delete, truncate')
        ORDER BY excess
    ) AS exceeds
