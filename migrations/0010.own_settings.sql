-- Every transaction of the service sets what the service counts on, whatever it inherited: ALTER DATABASE, ALTER ROLE,
-- the start of the connection and a pooler can all set something else.
--
-- Nothing planted in a schema of the inherited search_path can stand in for what these functions name: functions and
-- types are named with their schema until the path is pinned.
--
-- Locks: none on a table that was there before
-- Time:  a moment, whatever the tables hold
-- depends: 0009.idempotency_keys

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

-- The isolation of a transaction, and whether it may write, can't be changed once it has asked anything, and so not in
-- here. 57TD1 tells the service to send two statements before this one, from then on (database/data.py). Its class
-- is one that earlier versions answer 503. On a standby, which can't write anyhow, reads go on.
CREATE OR REPLACE FUNCTION begin_request(acting_user uuid)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM
        pg_catalog.set_config('search_path', 'pg_catalog, public, pg_temp', true),
        pg_catalog.set_config('role', 'todo_app', true),
        pg_catalog.set_config('app.user_id', coalesce(acting_user::pg_catalog.text, ''), true),
        pg_catalog.set_config('row_security', 'on', true),
        pg_catalog.set_config('statement_timeout', '5s', true),
        pg_catalog.set_config('lock_timeout', '2s', true),
        pg_catalog.set_config('idle_in_transaction_session_timeout', '10s', true),
        pg_catalog.set_config('random_page_cost', '1.1', true),
        pg_catalog.set_config('timezone', 'UTC', true),
        pg_catalog.set_config('datestyle', 'ISO', true),
        pg_catalog.set_config('standard_conforming_strings', 'on', true);
    IF pg_catalog.current_setting('transaction_timeout', true) <> '0' THEN  -- from PostgreSQL 17 on
        PERFORM pg_catalog.set_config('transaction_timeout', '0', true);
    END IF;
    IF pg_catalog.current_setting('transaction_isolation') <> 'read committed'
        OR (pg_catalog.current_setting('transaction_read_only') = 'on' AND NOT pg_catalog.pg_is_in_recovery())
    THEN
        RAISE EXCEPTION 'the transaction is not READ COMMITTED, READ WRITE' USING ERRCODE = '57TD1';
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION begin_session(acting_user uuid, acting_session uuid)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM public.begin_request(acting_user);
    PERFORM FROM public.sessions
    WHERE user_id = acting_user AND id = acting_session AND expires_at > pg_catalog.now();
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the session has ended' USING ERRCODE = 'TD401';
    END IF;
END
$$;
