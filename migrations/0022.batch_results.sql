-- What became of the operations of a batch that had an Idempotency-Key, so that the same batch sent again is answered
-- as the first time.
--
-- No foreign key to idempotency_keys: on Citus a new table can't have one to a table that is distributed. The statement
-- that removes a user's old keys removes these rows too, and so does a sweep of their own.
--
-- Locks: SHARE ROW EXCLUSIVE on users
--        For the foreign key: nobody writes to users meanwhile, reads go on.
-- Time:  a moment, whatever the tables hold
-- depends: 0021.task_limits

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

CREATE TABLE batch_results (
    user_id    uuid        NOT NULL,
    key        text        NOT NULL,
    -- 0 to 99
    -- squawk-ignore prefer-bigint-over-int
    place      integer     NOT NULL,
    answer     text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT batch_results_pkey PRIMARY KEY (user_id, key, place),
    CONSTRAINT batch_results_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE
);

COMMENT ON TABLE batch_results IS
'What the statements of batches with a key returned. Good as long as the key is, for 24 hours.';
COMMENT ON COLUMN batch_results.place IS 'In the batch, of the first operation that the statement did.';
COMMENT ON COLUMN batch_results.answer IS
'The rows, as a JSON array of arrays. A statement without rows has none here.';
COMMENT ON COLUMN batch_results.created_at IS 'As the key''s.';

CREATE INDEX batch_results_by_time ON batch_results (created_at);

GRANT SELECT, DELETE, INSERT (user_id, key, place, answer) ON batch_results TO todo_app;

ALTER TABLE batch_results ENABLE ROW LEVEL SECURITY;
ALTER TABLE batch_results FORCE ROW LEVEL SECURITY;

CREATE POLICY batch_results_own ON batch_results TO todo_app
USING (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid)
WITH CHECK (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid);

-- A minute after the keys: so no key that was just found is without its results.
GRANT SELECT (created_at), DELETE ON batch_results TO todo_auth;

CREATE POLICY batch_results_find_old ON batch_results FOR SELECT TO todo_auth
USING (created_at <= now() - interval '24 hours 1 minute');
CREATE POLICY batch_results_sweep ON batch_results FOR DELETE TO todo_auth
USING (created_at <= now() - interval '24 hours 1 minute');

-- As the functions of 0011. Of one moment there are the results of one batch.
CREATE FUNCTION sweep_batch_results(most integer)
RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    expired CONSTANT timestamptz := now() - interval '24 hours 1 minute';
    border  timestamptz;
    removed integer;
BEGIN
    PERFORM set_config('lock_timeout', '200ms', true), set_config('plan_cache_mode', 'force_custom_plan', true);
    SELECT max(oldest.created_at) INTO border
    FROM (
        SELECT r.created_at
        FROM public.batch_results AS r
        WHERE r.created_at <= expired
        ORDER BY r.created_at
        LIMIT most
    ) AS oldest;
    DELETE FROM public.batch_results WHERE created_at <= border;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;

COMMENT ON FUNCTION sweep_batch_results(integer) IS
'Removes so many of the results of all users'' batches that are older than 24 hours, oldest first; returns how many.';

REVOKE ALL ON FUNCTION sweep_batch_results(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sweep_batch_results(integer) TO todo_app;
GRANT CREATE ON SCHEMA public TO todo_auth;
ALTER FUNCTION sweep_batch_results(integer) OWNER TO todo_auth;
REVOKE CREATE ON SCHEMA public FROM todo_auth;

-- Which of new tasks, by their sizes in bytes, find room one after the other: one that is too large is left out, and a
-- smaller one after it may fit. It reads nothing, and needs no right. A recursive query would do, but not on Citus.
CREATE FUNCTION batch_room(sizes integer[], room_tasks integer, room_bytes bigint)
RETURNS integer[]
LANGUAGE plpgsql IMMUTABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    fitting integer[] := '{}';
BEGIN
    FOR step IN 1 .. cardinality(sizes) LOOP
        EXIT WHEN cardinality(fitting) >= room_tasks;
        IF sizes[step] <= room_bytes THEN
            room_bytes := room_bytes - sizes[step];
            fitting := fitting || step;
        END IF;
    END LOOP;
    RETURN fitting;
END
$$;

COMMENT ON FUNCTION batch_room(integer[], integer, bigint) IS
'The numbers, from 1, of those that fit one after the other into so many tasks and so many bytes.';

REVOKE ALL ON FUNCTION batch_room(integer[], integer, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION batch_room(integer[], integer, bigint) TO todo_app;
