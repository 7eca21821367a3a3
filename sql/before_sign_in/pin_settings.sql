-- Set what a migration or an operator's command counts on, whatever ALTER DATABASE, ALTER ROLE or the start of
-- the connection say. New objects are made in public. What is looked up is found in pg_catalog first, which is
-- not named: otherwise new objects would be made there.
--
-- Why here:   migrations and commands run it first; nobody is signed in
-- Parameters: until_commit   true: for this transaction, as behind a pooler; false: for the connection
-- Returns:    nothing of interest
-- Index:      none
-- Locks:      none
SELECT
    pg_catalog.set_config('search_path', 'public, pg_temp', %(until_commit)s::pg_catalog.bool),
    pg_catalog.set_config('default_transaction_isolation', 'read committed', %(until_commit)s::pg_catalog.bool),
    pg_catalog.set_config('default_transaction_read_only', 'off', %(until_commit)s::pg_catalog.bool),
    pg_catalog.set_config('row_security', 'on', %(until_commit)s::pg_catalog.bool),
    pg_catalog.set_config('standard_conforming_strings', 'on', %(until_commit)s::pg_catalog.bool),
    pg_catalog.set_config('exit_on_error', 'off', %(until_commit)s::pg_catalog.bool),
    pg_catalog.set_config('check_function_bodies', 'on', %(until_commit)s::pg_catalog.bool),
    pg_catalog.set_config('default_table_access_method', 'heap', %(until_commit)s::pg_catalog.bool),
    pg_catalog.set_config('timezone', 'UTC', %(until_commit)s::pg_catalog.bool),
    pg_catalog.set_config('datestyle', 'ISO', %(until_commit)s::pg_catalog.bool),
    pg_catalog.set_config('statement_timeout', '0', %(until_commit)s::pg_catalog.bool),
    pg_catalog.set_config('lock_timeout', '60s', %(until_commit)s::pg_catalog.bool),
    pg_catalog.set_config('idle_session_timeout', '0', %(until_commit)s::pg_catalog.bool),
    pg_catalog.set_config('idle_in_transaction_session_timeout', '60s', %(until_commit)s::pg_catalog.bool),
    CASE
        WHEN pg_catalog.current_setting('transaction_timeout', TRUE) IS NOT NULL  -- from PostgreSQL 17 on
            THEN pg_catalog.set_config('transaction_timeout', '0', %(until_commit)s::pg_catalog.bool)
    END,
    pg_catalog.set_config('plpgsql.extra_errors', 'none', %(until_commit)s::pg_catalog.bool)
