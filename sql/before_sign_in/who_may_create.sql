-- Who else may create in the schema public: neither a superuser nor this login, nor the owner of the database, of the
-- schema or of the service's tables.
--
-- Why here:   start-up warns of it; nobody is signed in
-- Parameters: none
-- Returns:    creator   as REVOKE names it
-- Index:      none: catalogues
-- Locks:      none
SELECT DISTINCT CASE granted.grantee::bigint WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END AS creator
FROM pg_catalog.pg_namespace AS place
CROSS JOIN pg_catalog.aclexplode(coalesce(place.nspacl, pg_catalog.acldefault('n', place.nspowner))) AS granted
INNER JOIN pg_catalog.pg_database AS here ON here.datname = pg_catalog.current_database()
WHERE place.nspname = 'public'
    AND granted.privilege_type = 'CREATE'
    AND granted.grantee NOT IN (place.nspowner, here.datdba)
    AND NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_roles AS role
        WHERE role.oid = granted.grantee
            AND (role.rolsuper OR role.rolname = current_user)
    )
    AND NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_class AS made
        WHERE made.relnamespace = place.oid
            AND made.relname = 'users'
            AND made.relowner = granted.grantee
    )
ORDER BY creator
