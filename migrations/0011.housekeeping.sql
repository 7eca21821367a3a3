-- Housekeeping: what has expired is removed, once an hour by one process of all.
--
-- todo_auth may delete what has expired, and nothing else of idempotency_keys and auth_events: the policies say what
-- that is. todo_app may call its functions, so the login that serves can have it done, and can do no more.
--
-- Locks: ACCESS EXCLUSIVE on auth_events, idempotency_keys; SHARE on sessions
--        The indexes are built first: nobody writes to sessions and idempotency_keys meanwhile, reads go on. For the
--        policies nobody reads or writes idempotency_keys and auth_events, for a moment.
-- Time:  as long as it takes to read and sort all sessions and keys: 0.5 s for a million of each
-- depends: 0010.own_settings

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '1min';

-- Not concurrently, which partitioned tables refuse: these are rows of a day or two, and quickly read.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at);

-- A lock alone would say who sweeps now, but not that somebody has half an hour ago.
CREATE TABLE housekeeping (
    is_only_row boolean     NOT NULL,
    swept_at    timestamptz NOT NULL,
    CONSTRAINT housekeeping_pkey PRIMARY KEY (is_only_row),
    CONSTRAINT housekeeping_has_one_row CHECK (is_only_row)
);

COMMENT ON TABLE housekeeping IS 'When a process last began to remove what has expired: one row, or none yet.';

GRANT SELECT, INSERT, UPDATE (swept_at) ON housekeeping TO todo_app;

GRANT SELECT (id) ON sessions TO todo_auth;
GRANT SELECT (task_id, created_at), DELETE ON idempotency_keys TO todo_auth;
GRANT SELECT (id), DELETE ON auth_events TO todo_auth;

CREATE POLICY idempotency_keys_find_old ON idempotency_keys FOR SELECT TO todo_auth
USING (created_at <= now() - interval '24 hours');

CREATE POLICY idempotency_keys_sweep ON idempotency_keys FOR DELETE TO todo_auth
USING (created_at <= now() - interval '24 hours');

-- A day at least stays, whatever the caller asks for.
CREATE POLICY auth_events_sweep ON auth_events FOR DELETE TO todo_auth
USING (occurred_at <= now() - interval '1 day');

-- In each of the functions: which rows go is found first, then they are deleted as values. Citus can do that over all
-- workers, unlike a DELETE with a LIMIT inside. (Of one moment there may be a million: so not just up to a moment.)
-- A row that a request has locked ends the call, before PostgreSQL looks for deadlocks: it is always the sweep that
-- steps back. Plans are for the values at hand: a plan for any values reads the whole table.

CREATE FUNCTION sweep_sessions(most integer)
RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    border  timestamptz;
    gone    uuid[];
    removed integer;
BEGIN
    PERFORM set_config('lock_timeout', '200ms', true), set_config('plan_cache_mode', 'force_custom_plan', true);
    SELECT max(oldest.expires_at), array_agg(oldest.id) INTO border, gone
    FROM (
        SELECT s.id, s.expires_at
        FROM public.sessions AS s
        WHERE s.expires_at <= now()
        ORDER BY s.expires_at
        LIMIT most
    ) AS oldest;
    DELETE FROM public.sessions WHERE expires_at <= border AND id = ANY (gone);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;

CREATE FUNCTION sweep_idempotency_keys(most integer)
RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    expired CONSTANT timestamptz := now() - interval '24 hours';
    border  timestamptz;
    gone    uuid[];
    removed integer;
BEGIN
    PERFORM set_config('lock_timeout', '200ms', true), set_config('plan_cache_mode', 'force_custom_plan', true);
    SELECT max(oldest.created_at), array_agg(oldest.task_id) INTO border, gone
    FROM (
        SELECT k.task_id, k.created_at
        FROM public.idempotency_keys AS k
        WHERE k.created_at <= expired
        ORDER BY k.created_at
        LIMIT most
    ) AS oldest;
    DELETE FROM public.idempotency_keys WHERE created_at <= border AND task_id = ANY (gone);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;

-- By id, since auth_events_by_time can't be read in order. Some events have an older one behind them: a transaction
-- that waited, a clock that was set back. So ten times as many are looked at.
CREATE FUNCTION sweep_auth_events(days integer, most integer)
RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    border  CONSTANT timestamptz := now() - make_interval(days => greatest(days, 1));
    last_id bigint;
    removed integer;
BEGIN
    PERFORM set_config('lock_timeout', '200ms', true), set_config('plan_cache_mode', 'force_custom_plan', true);
    SELECT max(oldest.id) INTO last_id
    FROM (
        SELECT first_ones.id
        FROM (
            SELECT
                e.id,
                e.occurred_at
            FROM public.auth_events AS e
            ORDER BY e.id
            LIMIT most::bigint * 10
        ) AS first_ones
        WHERE first_ones.occurred_at <= border
        ORDER BY first_ones.id
        LIMIT most
    ) AS oldest;
    DELETE FROM public.auth_events WHERE id <= last_id AND occurred_at <= border;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;

COMMENT ON FUNCTION sweep_sessions(integer) IS
'Removes so many of the expired sessions of all users, oldest first; returns how many.';
COMMENT ON FUNCTION sweep_idempotency_keys(integer) IS
'Removes so many of the keys of all users that are older than 24 hours, oldest first; returns how many.';
COMMENT ON FUNCTION sweep_auth_events(integer, integer) IS
'Removes so many of the events that are older than so many days (at least one), oldest first; returns how many.';

REVOKE ALL ON FUNCTION sweep_sessions(integer), sweep_idempotency_keys(integer), sweep_auth_events(integer, integer)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sweep_sessions(integer), sweep_idempotency_keys(integer), sweep_auth_events(integer, integer)
TO todo_app;
GRANT CREATE ON SCHEMA public TO todo_auth;
ALTER FUNCTION sweep_sessions(integer) OWNER TO todo_auth;
ALTER FUNCTION sweep_idempotency_keys(integer) OWNER TO todo_auth;
ALTER FUNCTION sweep_auth_events(integer, integer) OWNER TO todo_auth;
REVOKE CREATE ON SCHEMA public FROM todo_auth;
