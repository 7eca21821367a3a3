-- The role of this transaction, and everything that would let it bypass row security.
--
-- Why here:   start-up checks it, and serves only if it is safe; nobody is signed in
-- Parameters: none
-- Returns:    role        the role of this transaction
--             bypasses    of this role and the roles that it could become, those that bypass row security or
--                         the grants: superusers, BYPASSRLS, todo_auth, PostgreSQL's predefined pg_ roles
--             owns        the tables that this role, or a role that it could become, owns
--             unguarded   the tables with a user_id whose row security is off or not forced
-- Index:      none: catalogues
-- Locks:      none
SELECT
    current_user::text AS role,
    ARRAY(
        SELECT candidate.rolname::text
        FROM pg_catalog.pg_roles AS candidate
        WHERE pg_catalog.pg_has_role(current_user, candidate.oid, 'MEMBER')
            AND (
                candidate.rolsuper
                OR candidate.rolbypassrls
                OR candidate.rolname = 'todo_auth'
                OR pg_catalog.starts_with(candidate.rolname, 'pg_')
            )
        ORDER BY candidate.rolname
    ) AS bypasses,
    ARRAY(
        SELECT owned.relname::text
        FROM pg_catalog.pg_class AS owned
        WHERE owned.relnamespace = 'public'::regnamespace
            AND owned.relkind IN ('r', 'p')
            AND pg_catalog.pg_has_role(current_user, owned.relowner, 'MEMBER')
        ORDER BY owned.relname
    ) AS owns,
    ARRAY(
        SELECT guarded.relname::text
        FROM pg_catalog.pg_class AS guarded
        INNER JOIN pg_catalog.pg_attribute AS owner_column
            ON guarded.oid = owner_column.attrelid AND owner_column.attname = 'user_id'
        WHERE guarded.relnamespace = 'public'::regnamespace
            AND guarded.relkind IN ('r', 'p')
            AND NOT (guarded.relrowsecurity AND guarded.relforcerowsecurity)
        ORDER BY guarded.relname
    ) AS unguarded
