-- The commands that make todo_serve, the login that serves from the embedded PostgreSQL: it may connect and work as
-- todo_app, and nothing else.
--
-- Why here:   start-up runs what it returns, as the superuser; nobody is signed in
-- Parameters: none
-- Returns:    command   in order; no row when the login is complete
-- Index:      none: catalogues
-- Locks:      none
WITH here AS (
    SELECT pg_catalog.quote_ident(pg_catalog.current_database()) AS named
),

memberships AS (
    SELECT membership.member
    FROM pg_catalog.pg_auth_members AS membership
    INNER JOIN pg_catalog.pg_roles AS service ON membership.roleid = service.oid
    INNER JOIN pg_catalog.pg_roles AS login ON membership.member = login.oid
    WHERE service.rolname = 'todo_app'
        AND login.rolname = 'todo_serve'
),

connects AS (
    SELECT login.oid
    FROM pg_catalog.pg_database AS base
    CROSS JOIN LATERAL pg_catalog.aclexplode(base.datacl) AS granted
    INNER JOIN pg_catalog.pg_roles AS login ON granted.grantee = login.oid
    WHERE base.datname = pg_catalog.current_database()
        AND granted.privilege_type = 'CONNECT'
        AND login.rolname = 'todo_serve'
)

SELECT 'CREATE ROLE todo_serve LOGIN' AS command
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'todo_serve')

UNION ALL

SELECT 'GRANT todo_app TO todo_serve' AS command  -- in a database that was never migrated there is no todo_app yet
WHERE EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'todo_app')
    AND NOT EXISTS (SELECT FROM memberships)

UNION ALL

SELECT 'GRANT CONNECT ON DATABASE ' || here.named || ' TO todo_serve' AS command
FROM here
WHERE NOT EXISTS (SELECT FROM connects)
