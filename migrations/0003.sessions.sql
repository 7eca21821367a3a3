-- Sessions: a token lives exactly as long as its row here, so a logout counts at once and everywhere.
--
-- Locks: SHARE ROW EXCLUSIVE on users
--        For the foreign key: nobody writes to users meanwhile, reads go on.
-- Time:  a moment, whatever the tables hold
-- depends: 0002.users

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

CREATE TABLE sessions (
    user_id    uuid        NOT NULL,
    id         uuid        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CONSTRAINT sessions_pkey PRIMARY KEY (user_id, id),
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE,
    CONSTRAINT sessions_expire_after_start CHECK (expires_at > created_at)
);

COMMENT ON TABLE sessions IS 'A token lives exactly as long as its row here.';
COMMENT ON COLUMN sessions.id IS 'The token''s jti.';

GRANT SELECT, DELETE, INSERT (user_id, id, expires_at) ON sessions TO todo_app;

ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE sessions FORCE ROW LEVEL SECURITY;

CREATE POLICY sessions_own ON sessions TO todo_app
USING (user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid))
WITH CHECK (user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid));

-- How every transaction of the service starts: as todo_app, for one user or (null) for nobody, within bounds.
-- All of it ends with the transaction, so that a pooler can't hand it to the next client.
-- The bounds are shorter than any HTTP client's patience: what would take longer is answered 503.
-- random_page_cost is that of an SSD: by the default, made for turning disks, PostgreSQL would rather collect a
-- user's tasks by tasks_pkey and sort them than read tasks_newest_first, which is in order already.
CREATE FUNCTION begin_request(acting_user uuid)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM
        set_config('role', 'todo_app', true),
        set_config('app.user_id', coalesce(acting_user::text, ''), true),
        set_config('statement_timeout', '5s', true),
        set_config('lock_timeout', '2s', true),
        set_config('idle_in_transaction_session_timeout', '10s', true),
        set_config('random_page_cost', '1.1', true);
END
$$;

-- The same for a token's user: a session that is not alive raises TD401, and nothing after it runs.
CREATE FUNCTION begin_session(acting_user uuid, acting_session uuid)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM begin_request(acting_user);
    PERFORM FROM sessions
    WHERE user_id = acting_user AND id = acting_session AND expires_at > now();
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the session has ended' USING ERRCODE = 'TD401';
    END IF;
END
$$;

COMMENT ON FUNCTION begin_request(uuid) IS
'How every transaction of the service starts: as todo_app, for one user or (null) for nobody, within bounds.';
COMMENT ON FUNCTION begin_session(uuid, uuid) IS
'As begin_request, for a token''s user: raises TD401 unless the session is alive.';

REVOKE ALL ON FUNCTION begin_request(uuid), begin_session(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION begin_request(uuid), begin_session(uuid, uuid) TO todo_app;
