-- What happened at the door: who signed in and out, who was refused and why. Append-only for the service.
--
-- Locks: SHARE ROW EXCLUSIVE on users
--        For the foreign key: nobody writes to users meanwhile, reads go on.
-- Time:  a moment, whatever the tables hold
-- depends: 0004.tasks

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

CREATE TABLE auth_events (
    id          bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    occurred_at timestamptz NOT NULL DEFAULT now(),
    event       text        NOT NULL,
    reason      text,
    user_id     uuid,
    address     inet        NOT NULL,
    network     cidr        NOT NULL GENERATED ALWAYS AS (
        network(set_masklen(address, CASE family(address) WHEN 4 THEN 32 ELSE 64 END))
    ) STORED,
    user_agent  text,
    request_id  text        NOT NULL,
    CONSTRAINT auth_events_pkey PRIMARY KEY (id),
    CONSTRAINT auth_events_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE,
    CONSTRAINT auth_events_event_known CHECK (
        event IN (
            'signup', 'login', 'logout',
            'signup_refused', 'login_refused', 'token_refused', 'foreign_user', 'rate_limited'
        )
    ),
    CONSTRAINT auth_events_reason_length CHECK (char_length(reason) <= 100),
    CONSTRAINT auth_events_user_agent_length CHECK (char_length(user_agent) <= 256),
    CONSTRAINT auth_events_request_id_length CHECK (char_length(request_id) BETWEEN 1 AND 128)
);

COMMENT ON TABLE auth_events IS 'What happened at the door. Append-only for the service.';
COMMENT ON COLUMN auth_events.user_id IS 'Null: not known.';
COMMENT ON COLUMN auth_events.network IS 'What counts as one client: an IPv4 address, or an IPv6 /64.';

CREATE INDEX auth_events_of_network ON auth_events (network, occurred_at DESC);
CREATE INDEX auth_events_of_user ON auth_events (user_id, occurred_at DESC);
-- For the DBA: the last hour, and the removal of what is old. Rows come in the order of time, so a few pages do.
CREATE INDEX auth_events_by_time ON auth_events USING brin (occurred_at) WITH (autosummarize = on);

GRANT INSERT (event, reason, user_id, address, user_agent, request_id) ON auth_events TO todo_app;
GRANT SELECT (network, occurred_at) ON auth_events TO todo_auth;

ALTER TABLE auth_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth_events FORCE ROW LEVEL SECURITY;

-- An event is about the acting user or, before anyone is signed in, about nobody.
CREATE POLICY auth_events_own ON auth_events TO todo_app
USING (user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid))
WITH CHECK (
    user_id IS NULL
    OR user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid)
);

CREATE POLICY auth_events_count ON auth_events FOR SELECT TO todo_auth
USING (true);

-- The lock makes parallel callers of one client take turns until they commit, so that the bound is exact.
CREATE FUNCTION auth_event_room(sender inet)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    sender_network CONSTANT cidr := network(set_masklen(sender, CASE family(sender) WHEN 4 THEN 32 ELSE 64 END));
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('auth_event_room'), hashtext(sender_network::text));
    RETURN 60 > (
        SELECT count(*)
        FROM (
            SELECT
            FROM public.auth_events AS e
            WHERE e.network = sender_network AND e.occurred_at > clock_timestamp() - interval '1 minute'
            LIMIT 60
        ) AS recent
    );
END
$$;

COMMENT ON FUNCTION auth_event_room(inet) IS
'Whether a client may still leave rows here: fewer than 60 in the last minute.';

REVOKE ALL ON FUNCTION auth_event_room(inet) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth_event_room(inet) TO todo_app;
GRANT CREATE ON SCHEMA public TO todo_auth;
ALTER FUNCTION auth_event_room(inet) OWNER TO todo_auth;
REVOKE CREATE ON SCHEMA public FROM todo_auth;
