-- API tokens: with one, a script or another program gets at its user's tasks, without the user's password.
--
-- A token names its user, and its id is made of its SHA-256. So begin_token finds it by its primary key, as
-- begin_session finds a session, in the request's own round trip. Nobody gets from an id to the token.
--
-- Locks: SHARE ROW EXCLUSIVE on users
--        For the foreign key: nobody writes to users meanwhile, reads go on.
-- Time:  a moment, whatever the tables hold
-- depends: 0013.sign_ins

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

CREATE TABLE api_tokens (
    user_id      uuid        NOT NULL,
    id           uuid        NOT NULL,
    name         text        NOT NULL,
    scope        text        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_on date,
    CONSTRAINT api_tokens_pkey PRIMARY KEY (user_id, id),
    CONSTRAINT api_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE,
    CONSTRAINT api_tokens_name_length CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT api_tokens_name_trimmed CHECK (name = btrim(name)),
    CONSTRAINT api_tokens_name_has_no_control_characters CHECK (name !~ '[\u0001-\u001F\u007F-\u009F]'),
    CONSTRAINT api_tokens_scope_known CHECK (scope IN ('read', 'write')),
    CONSTRAINT api_tokens_expire_after_start CHECK (expires_at > created_at),
    CONSTRAINT api_tokens_last_a_year CHECK (expires_at - created_at <= interval '366 days')
);

COMMENT ON TABLE api_tokens IS 'What lets a program act for its user. A token lives exactly as long as its row here.';
COMMENT ON COLUMN api_tokens.id IS 'The first 122 bits of the token''s SHA-256, as a UUID of version 8 (RFC 9562).';
COMMENT ON COLUMN api_tokens.scope IS 'write includes reading; the transactions of read are read-only.';
COMMENT ON COLUMN api_tokens.expires_at IS 'Null: never.';
COMMENT ON COLUMN api_tokens.last_used_on IS 'The day in UTC of the last request. Null: not used yet.';

CREATE INDEX api_tokens_by_expiry ON api_tokens (expires_at);

GRANT SELECT, DELETE, INSERT (user_id, id, name, scope, expires_at), UPDATE (last_used_on) ON api_tokens TO todo_app;
GRANT SELECT (user_id, id, expires_at), DELETE ON api_tokens TO todo_auth;

ALTER TABLE api_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_tokens FORCE ROW LEVEL SECURITY;

CREATE POLICY api_tokens_own ON api_tokens TO todo_app
USING (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid)
WITH CHECK (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid);

-- As with sessions: the housekeeping and an operator end those of others.
CREATE POLICY api_tokens_find ON api_tokens FOR SELECT TO todo_auth
USING (TRUE);
CREATE POLICY api_tokens_end ON api_tokens FOR DELETE TO todo_auth
USING (TRUE);

-- A token says its scope itself, and so twice: where the row has another, it is not the token's row.
--
-- What every request pays for is one look, as with a session. The first one of a day looks again, and writes the day
-- down; one that finds the row locked leaves that to the other. One that can't write, on a standby or a full disk or
-- beside a lock on the table, is answered without it.
CREATE FUNCTION begin_token(acting_user uuid, acting_token uuid, acting_scope text)
RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    patience text;
BEGIN
    PERFORM public.begin_request(acting_user);
    PERFORM FROM public.api_tokens
    WHERE user_id = acting_user AND id = acting_token AND scope = acting_scope AND last_used_on >= current_date
        AND (expires_at IS NULL OR expires_at > pg_catalog.now());
    IF NOT FOUND THEN
        PERFORM FROM public.api_tokens
        WHERE user_id = acting_user AND id = acting_token AND scope = acting_scope
            AND (expires_at IS NULL OR expires_at > pg_catalog.now());
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the API token has ended' USING ERRCODE = 'TD401';
        END IF;
        IF pg_catalog.current_setting('transaction_read_only') = 'off' THEN
            patience := pg_catalog.current_setting('lock_timeout');
            PERFORM pg_catalog.set_config('lock_timeout', '20ms', true);
            BEGIN
                PERFORM FROM public.api_tokens
                WHERE user_id = acting_user AND id = acting_token
                    AND (last_used_on IS NULL OR last_used_on < current_date)
                FOR UPDATE SKIP LOCKED;
                IF FOUND THEN
                    UPDATE public.api_tokens SET last_used_on = current_date
                    WHERE user_id = acting_user AND id = acting_token;
                END IF;
            EXCEPTION
                WHEN lock_not_available OR insufficient_resources THEN NULL;
            END;
            PERFORM pg_catalog.set_config('lock_timeout', patience, true);
        END IF;
    END IF;
    IF acting_scope = 'read' THEN
        PERFORM pg_catalog.set_config('transaction_read_only', 'on', true);
    END IF;
END
$$;

COMMENT ON FUNCTION begin_token(uuid, uuid, text) IS
'As begin_session, for an API token: raises TD401 unless it is alive. With the scope read nothing can be written.';

CREATE FUNCTION sweep_api_tokens(most integer)
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
        SELECT t.id, t.expires_at
        FROM public.api_tokens AS t
        WHERE t.expires_at <= now()
        ORDER BY t.expires_at
        LIMIT most
    ) AS oldest;
    DELETE FROM public.api_tokens WHERE expires_at <= border AND id = ANY (gone);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;

COMMENT ON FUNCTION sweep_api_tokens(integer) IS
'Removes so many of the expired API tokens of all users, oldest first; returns how many.';

REVOKE ALL ON FUNCTION begin_token(uuid, uuid, text), sweep_api_tokens(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION begin_token(uuid, uuid, text), sweep_api_tokens(integer) TO todo_app;
GRANT CREATE ON SCHEMA public TO todo_auth;
ALTER FUNCTION sweep_api_tokens(integer) OWNER TO todo_auth;
REVOKE CREATE ON SCHEMA public FROM todo_auth;
