-- The whole schema at once, as PostgreSQL itself tells it: what all migrations together make.
-- To read, not to apply. Renewed by `python tests/tools/schema_dump.py`;
-- the tests compare it with the migrations.
--
-- Left out: who migrated and so owns all but two functions, and yoyo's own tables. The roles todo_app and
-- todo_auth belong to the whole server, see 0001.roles.sql.


-- --- schema public ---

GRANT USAGE ON SCHEMA public TO todo_app;
GRANT USAGE ON SCHEMA public TO todo_auth;

-- --- applied_migrations ---

CREATE TABLE public.applied_migrations (
    id text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT applied_migrations_checksum_is_sha256 CHECK ((checksum ~ '^[0-9a-f]{64}$'::text))
);

COMMENT ON TABLE public.applied_migrations IS 'Which migration files were applied, and what they looked like.';

ALTER TABLE ONLY public.applied_migrations
    ADD CONSTRAINT applied_migrations_pkey PRIMARY KEY (id);

GRANT SELECT ON TABLE public.applied_migrations TO todo_app;

-- --- users ---

CREATE TABLE public.users (
    user_id uuid NOT NULL,
    email text NOT NULL,
    password_hash text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    password_version bigint DEFAULT 1 NOT NULL,
    disabled_at timestamp with time zone,
    CONSTRAINT users_email_length CHECK (((char_length(email) >= 5) AND (char_length(email) <= 254))),
    CONSTRAINT users_email_plausible CHECK ((email ~ '^[^@[:space:]]+@[^@[:space:]]+[.][^@[:space:]]+$'::text)),
    CONSTRAINT users_password_hash_is_bcrypt CHECK ((password_hash ~ '^\$2b\$[0-9]{2}\$[./A-Za-z0-9]{53}$'::text))
);

ALTER TABLE ONLY public.users FORCE ROW LEVEL SECURITY;

COMMENT ON TABLE public.users IS 'Accounts. Everything else belongs to one of them and leaves with it.';

COMMENT ON COLUMN public.users.password_version IS 'Grows with each new password: what was allowed by the one before is refused.';

COMMENT ON COLUMN public.users.disabled_at IS 'Null: not disabled.';

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (user_id);

CREATE UNIQUE INDEX users_email_key ON public.users USING btree (lower(email));

ALTER TABLE public.users ENABLE ROW LEVEL SECURITY;

CREATE POLICY users_add ON public.users FOR INSERT TO todo_auth
    WITH CHECK (true);

CREATE POLICY users_change ON public.users FOR UPDATE TO todo_auth
    USING (true);

CREATE POLICY users_delete ON public.users FOR DELETE TO todo_auth
    USING (true);

CREATE POLICY users_find_credentials ON public.users FOR SELECT TO todo_auth
    USING (true);

CREATE POLICY users_own ON public.users TO todo_app
    USING ((user_id = ( SELECT (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid AS "nullif")))
    WITH CHECK ((user_id = ( SELECT (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid AS "nullif")));

GRANT SELECT (user_id, email, created_at, password_version, disabled_at), INSERT (user_id, email, password_hash), UPDATE (email, password_hash, password_version) ON TABLE public.users TO todo_app;
GRANT DELETE, SELECT (user_id, email, password_hash, created_at, password_version, disabled_at), INSERT (user_id, email, password_hash), UPDATE (password_hash, password_version, disabled_at) ON TABLE public.users TO todo_auth;

-- --- find_credentials ---

CREATE FUNCTION public.find_credentials(wanted_email text) RETURNS TABLE(user_id uuid, password_hash text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT u.user_id, u.password_hash
    FROM public.users AS u
    WHERE lower(u.email) = lower(wanted_email)
$$;

ALTER FUNCTION public.find_credentials(wanted_email text) OWNER TO todo_auth;

COMMENT ON FUNCTION public.find_credentials(wanted_email text) IS 'Login has to find an account before anyone is signed in. This is the only way to a password hash.';

REVOKE ALL ON FUNCTION public.find_credentials(wanted_email text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.find_credentials(wanted_email text) TO todo_app;

-- --- sessions ---

CREATE TABLE public.sessions (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    sign_in_id uuid,
    signed_in_at timestamp with time zone,
    address inet,
    user_agent text,
    CONSTRAINT sessions_expire_after_start CHECK ((expires_at > created_at)),
    CONSTRAINT sessions_user_agent_length CHECK ((char_length(user_agent) <= 256))
);

ALTER TABLE ONLY public.sessions FORCE ROW LEVEL SECURITY;

COMMENT ON TABLE public.sessions IS 'A token lives exactly as long as its row here.';

COMMENT ON COLUMN public.sessions.id IS 'The token''s jti.';

COMMENT ON COLUMN public.sessions.sign_in_id IS 'The id of the sign-in''s first session, which the others renew. Null: this is the first one.';

COMMENT ON COLUMN public.sessions.signed_in_at IS 'When the sign-in began. Null: with this session.';

COMMENT ON COLUMN public.sessions.address IS 'Where the token was sent to. Null: started by a version that did not keep it.';

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (user_id, id);

CREATE INDEX sessions_by_expiry ON public.sessions USING btree (expires_at);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(user_id) ON DELETE CASCADE;

ALTER TABLE public.sessions ENABLE ROW LEVEL SECURITY;

CREATE POLICY sessions_end ON public.sessions FOR DELETE TO todo_auth
    USING (true);

CREATE POLICY sessions_find ON public.sessions FOR SELECT TO todo_auth
    USING (true);

CREATE POLICY sessions_own ON public.sessions TO todo_app
    USING ((user_id = ( SELECT (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid AS "nullif")))
    WITH CHECK ((user_id = ( SELECT (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid AS "nullif")));

GRANT SELECT, DELETE, INSERT (user_id, id, expires_at, sign_in_id, signed_in_at, address, user_agent), UPDATE (expires_at) ON TABLE public.sessions TO todo_app;
GRANT DELETE, SELECT (user_id, id, expires_at, sign_in_id) ON TABLE public.sessions TO todo_auth;

-- --- begin_request ---

CREATE FUNCTION public.begin_request(acting_user uuid) RETURNS void
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

COMMENT ON FUNCTION public.begin_request(acting_user uuid) IS 'How every transaction of the service starts: as todo_app, for one user or (null) for nobody, within bounds.';

REVOKE ALL ON FUNCTION public.begin_request(acting_user uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.begin_request(acting_user uuid) TO todo_app;

-- --- begin_session ---

CREATE FUNCTION public.begin_session(acting_user uuid, acting_session uuid) RETURNS void
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

COMMENT ON FUNCTION public.begin_session(acting_user uuid, acting_session uuid) IS 'As begin_request, for a token''s user: raises TD401 unless the session is alive.';

REVOKE ALL ON FUNCTION public.begin_session(acting_user uuid, acting_session uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.begin_session(acting_user uuid, acting_session uuid) TO todo_app;

-- --- tasks ---

CREATE TABLE public.tasks (
    user_id uuid NOT NULL,
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    title text NOT NULL,
    completed_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    notes text,
    due_date date,
    due_at timestamp with time zone,
    priority smallint DEFAULT 0 NOT NULL,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    revision bigint DEFAULT 0 NOT NULL,
    CONSTRAINT tasks_due_at_range CHECK (((due_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (due_at < '10000-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT tasks_due_date_range CHECK (((due_date >= '1970-01-01'::date) AND (due_date <= '9999-12-31'::date))),
    CONSTRAINT tasks_due_once CHECK (((due_date IS NULL) OR (due_at IS NULL))),
    CONSTRAINT tasks_notes_have_no_control_characters CHECK ((notes !~ '[\u0001-\u0008\u000B-\u001F\u007F-\u009F]'::text)),
    CONSTRAINT tasks_notes_length CHECK (((char_length(notes) >= 1) AND (char_length(notes) <= 4000))),
    CONSTRAINT tasks_priority_range CHECK (((priority >= 0) AND (priority <= 3))),
    CONSTRAINT tasks_revision_not_negative CHECK ((revision >= 0)),
    CONSTRAINT tasks_tags_form CHECK (((tags = '{}'::text[]) OR ((((','::text || array_to_string(tags, ','::text)) || ','::text) !~ ',,|, | ,|[^,]{51}|[\u0001-\u001F\u007F-\u009F]'::text) AND (string_to_array(array_to_string(tags, ','::text), ','::text) = tags)))),
    CONSTRAINT tasks_tags_number CHECK ((cardinality(tags) <= 20)),
    CONSTRAINT tasks_title_has_no_control_characters CHECK ((title !~ '[\u0001-\u001F\u007F-\u009F]'::text)),
    CONSTRAINT tasks_title_length CHECK (((char_length(title) >= 1) AND (char_length(title) <= 500))),
    CONSTRAINT tasks_title_trimmed CHECK ((title = btrim(title)))
)
WITH (fillfactor='90');

ALTER TABLE ONLY public.tasks FORCE ROW LEVEL SECURITY;

COMMENT ON TABLE public.tasks IS 'Tasks, each of them its user''s and nobody else''s.';

COMMENT ON COLUMN public.tasks.completed_at IS 'Null: still open.';

COMMENT ON COLUMN public.tasks.due_date IS 'A day of the calendar, in no time zone.';

COMMENT ON COLUMN public.tasks.revision IS 'Of the latest change. 0: not numbered yet.';

ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_pkey PRIMARY KEY (user_id, id);

CREATE INDEX tasks_newest_first ON public.tasks USING btree (user_id, created_at DESC, id DESC);

ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(user_id) ON DELETE CASCADE;

ALTER TABLE public.tasks ENABLE ROW LEVEL SECURITY;

CREATE POLICY tasks_own ON public.tasks TO todo_app
    USING ((user_id = ( SELECT (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid AS "nullif")))
    WITH CHECK ((user_id = ( SELECT (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid AS "nullif")));

GRANT SELECT, DELETE, INSERT (user_id, id, title, notes, due_date, due_at, priority, tags, revision), UPDATE (title, completed_at, updated_at, notes, due_date, due_at, priority, tags, revision) ON TABLE public.tasks TO todo_app;

-- --- task_counts ---

CREATE TABLE public.task_counts (
    user_id uuid NOT NULL,
    tasks integer NOT NULL,
    numbered integer,
    text_bytes bigint DEFAULT 0 NOT NULL,
    revision bigint DEFAULT 0 NOT NULL,
    forgotten_revision bigint DEFAULT 0 NOT NULL,
    deletions integer DEFAULT 0 NOT NULL,
    CONSTRAINT task_counts_deletions_not_negative CHECK ((deletions >= 0)),
    CONSTRAINT task_counts_forgotten_revision_is_past CHECK (((forgotten_revision >= 0) AND (forgotten_revision <= revision))),
    CONSTRAINT task_counts_not_negative CHECK ((tasks >= 0)),
    CONSTRAINT task_counts_text_bytes_not_negative CHECK ((text_bytes >= 0))
)
WITH (fillfactor='50');

ALTER TABLE ONLY public.task_counts FORCE ROW LEVEL SECURITY;

COMMENT ON TABLE public.task_counts IS 'How many tasks a user holds and how much text, for the quotas, and the latest revision.';

COMMENT ON COLUMN public.task_counts.numbered IS 'How many of the tasks have a revision. Null, or not as many as tasks: they have to be counted and numbered.';

COMMENT ON COLUMN public.task_counts.text_bytes IS 'Of titles, notes and tags, in UTF-8.';

COMMENT ON COLUMN public.task_counts.revision IS 'Of the user''s latest change.';

COMMENT ON COLUMN public.task_counts.forgotten_revision IS 'What was deleted up to this revision is no longer known in full: a client that asks from before it starts over.';

COMMENT ON COLUMN public.task_counts.deletions IS 'How many rows deleted_tasks has of the user.';

ALTER TABLE ONLY public.task_counts
    ADD CONSTRAINT task_counts_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY public.task_counts
    ADD CONSTRAINT task_counts_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(user_id) ON DELETE CASCADE;

ALTER TABLE public.task_counts ENABLE ROW LEVEL SECURITY;

CREATE POLICY task_counts_forget ON public.task_counts TO todo_auth
    USING ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid))
    WITH CHECK ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid));

CREATE POLICY task_counts_of_operator ON public.task_counts FOR SELECT TO todo_auth
    USING (true);

CREATE POLICY task_counts_own ON public.task_counts TO todo_app
    USING ((user_id = ( SELECT (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid AS "nullif")))
    WITH CHECK ((user_id = ( SELECT (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid AS "nullif")));

CREATE POLICY task_counts_sweep ON public.task_counts FOR UPDATE TO todo_auth
    USING (true);

GRANT SELECT, INSERT (user_id, tasks, numbered), UPDATE (tasks, numbered, text_bytes, revision, forgotten_revision, deletions) ON TABLE public.task_counts TO todo_app;
GRANT DELETE, SELECT (user_id, tasks, text_bytes, revision, forgotten_revision, deletions), UPDATE (numbered, revision, forgotten_revision, deletions) ON TABLE public.task_counts TO todo_auth;

-- --- auth_events ---

CREATE TABLE public.auth_events (
    id bigint NOT NULL,
    occurred_at timestamp with time zone DEFAULT now() NOT NULL,
    event text NOT NULL,
    reason text,
    user_id uuid,
    address inet NOT NULL,
    network cidr GENERATED ALWAYS AS (network(set_masklen(address,
CASE family(address)
    WHEN 4 THEN 32
    ELSE 64
END))) STORED NOT NULL,
    user_agent text,
    request_id text NOT NULL,
    CONSTRAINT auth_events_reason_length CHECK ((char_length(reason) <= 100)),
    CONSTRAINT auth_events_request_id_length CHECK (((char_length(request_id) >= 1) AND (char_length(request_id) <= 128))),
    CONSTRAINT auth_events_user_agent_length CHECK ((char_length(user_agent) <= 256))
);

ALTER TABLE ONLY public.auth_events FORCE ROW LEVEL SECURITY;

COMMENT ON TABLE public.auth_events IS 'What happened at the door. Append-only for the service.';

COMMENT ON COLUMN public.auth_events.user_id IS 'Null: not known.';

COMMENT ON COLUMN public.auth_events.network IS 'What counts as one client: an IPv4 address, or an IPv6 /64.';

ALTER TABLE public.auth_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.auth_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE public.auth_events
    ADD CONSTRAINT auth_events_event_known CHECK ((event = ANY (ARRAY['signup'::text, 'login'::text, 'renewal'::text, 'logout'::text, 'session_ended'::text, 'sessions_ended'::text, 'password_changed'::text, 'email_changed'::text, 'password_reset'::text, 'account_deleted'::text, 'token_created'::text, 'token_ended'::text, 'account_added'::text, 'account_invited'::text, 'reset_code_made'::text, 'account_disabled'::text, 'account_enabled'::text, 'signup_refused'::text, 'login_refused'::text, 'password_refused'::text, 'reset_refused'::text, 'token_refused'::text, 'foreign_user'::text, 'rate_limited'::text]))) NOT VALID;

ALTER TABLE ONLY public.auth_events
    ADD CONSTRAINT auth_events_pkey PRIMARY KEY (id);

CREATE INDEX auth_events_by_time ON public.auth_events USING brin (occurred_at) WITH (autosummarize='on');

CREATE INDEX auth_events_of_network ON public.auth_events USING btree (network, occurred_at DESC);

CREATE INDEX auth_events_of_user ON public.auth_events USING btree (user_id, occurred_at DESC);

ALTER TABLE ONLY public.auth_events
    ADD CONSTRAINT auth_events_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(user_id) ON DELETE CASCADE;

ALTER TABLE public.auth_events ENABLE ROW LEVEL SECURITY;

CREATE POLICY auth_events_count ON public.auth_events FOR SELECT TO todo_auth
    USING (true);

CREATE POLICY auth_events_forget ON public.auth_events FOR DELETE TO todo_auth
    USING ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid));

CREATE POLICY auth_events_operator ON public.auth_events FOR INSERT TO todo_auth
    WITH CHECK ((reason = 'by the operator'::text));

CREATE POLICY auth_events_own ON public.auth_events TO todo_app
    USING ((user_id = ( SELECT (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid AS "nullif")))
    WITH CHECK (((user_id IS NULL) OR (user_id = ( SELECT (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid AS "nullif"))));

CREATE POLICY auth_events_sweep ON public.auth_events FOR DELETE TO todo_auth
    USING ((occurred_at <= (now() - '1 day'::interval)));

GRANT SELECT (id, occurred_at, event, reason, user_id, address, user_agent, request_id), INSERT (event, reason, user_id, address, user_agent, request_id) ON TABLE public.auth_events TO todo_app;
GRANT DELETE, SELECT (id, occurred_at, event, user_id, network), INSERT (event, reason, user_id, address, request_id) ON TABLE public.auth_events TO todo_auth;

-- --- auth_event_room ---

CREATE FUNCTION public.auth_event_room(sender inet) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
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

ALTER FUNCTION public.auth_event_room(sender inet) OWNER TO todo_auth;

COMMENT ON FUNCTION public.auth_event_room(sender inet) IS 'Whether a client may still leave rows here: fewer than 60 in the last minute.';

REVOKE ALL ON FUNCTION public.auth_event_room(sender inet) FROM PUBLIC;
GRANT ALL ON FUNCTION public.auth_event_room(sender inet) TO todo_app;

-- --- rate_limits ---

CREATE UNLOGGED TABLE public.rate_limits (
    key text NOT NULL,
    hits timestamp with time zone[] NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    in_flight timestamp with time zone[] DEFAULT '{}'::timestamp with time zone[] NOT NULL
);

COMMENT ON TABLE public.rate_limits IS 'Counters of the rate limit: one row for each limited client, gone soon after.';

COMMENT ON COLUMN public.rate_limits.hits IS 'The accepted attempts inside the window, oldest first.';

COMMENT ON COLUMN public.rate_limits.in_flight IS 'Of guesses at an account: those of hits whose password is still being looked at, and may turn out to be right.';

ALTER TABLE ONLY public.rate_limits
    ADD CONSTRAINT rate_limits_pkey PRIMARY KEY (key);

CREATE INDEX rate_limits_expires_at ON public.rate_limits USING btree (expires_at);

GRANT SELECT, INSERT, DELETE, UPDATE ON TABLE public.rate_limits TO todo_app;

-- --- idempotency_keys ---

CREATE TABLE public.idempotency_keys (
    user_id uuid NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    task_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    revision bigint,
    answer text,
    CONSTRAINT idempotency_keys_key_is_visible_ascii CHECK ((key !~ '[^\u0021-\u007E]'::text)),
    CONSTRAINT idempotency_keys_key_length CHECK (((char_length(key) >= 1) AND (char_length(key) <= 255))),
    CONSTRAINT idempotency_keys_request_hash_is_sha256 CHECK ((octet_length(request_hash) = 32))
);

ALTER TABLE ONLY public.idempotency_keys FORCE ROW LEVEL SECURITY;

COMMENT ON TABLE public.idempotency_keys IS 'What a user''s create was answered, by the key that the client sent with it. Good for 24 hours.';

COMMENT ON COLUMN public.idempotency_keys.task_id IS 'The task that was created; it may be gone since. For a batch a random id, which no task has.';

COMMENT ON COLUMN public.idempotency_keys.created_at IS 'When key and task were: the task''s own created_at.';

COMMENT ON COLUMN public.idempotency_keys.revision IS 'The new task''s. Null: made by a version that had none.';

COMMENT ON COLUMN public.idempotency_keys.answer IS 'Null: it can be made again from the other columns and the same body.';

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, key);

CREATE INDEX idempotency_keys_by_time ON public.idempotency_keys USING btree (created_at);

CREATE INDEX idempotency_keys_oldest_first ON public.idempotency_keys USING btree (user_id, created_at);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(user_id) ON DELETE CASCADE;

ALTER TABLE public.idempotency_keys ENABLE ROW LEVEL SECURITY;

CREATE POLICY idempotency_keys_find_old ON public.idempotency_keys FOR SELECT TO todo_auth
    USING ((created_at <= (now() - '24:00:00'::interval)));

CREATE POLICY idempotency_keys_own ON public.idempotency_keys TO todo_app
    USING ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid))
    WITH CHECK ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid));

CREATE POLICY idempotency_keys_sweep ON public.idempotency_keys FOR DELETE TO todo_auth
    USING ((created_at <= (now() - '24:00:00'::interval)));

GRANT SELECT, DELETE, INSERT (user_id, key, request_hash, task_id, created_at, revision, answer) ON TABLE public.idempotency_keys TO todo_app;
GRANT DELETE, SELECT (task_id, created_at) ON TABLE public.idempotency_keys TO todo_auth;

-- --- housekeeping ---

CREATE TABLE public.housekeeping (
    is_only_row boolean NOT NULL,
    swept_at timestamp with time zone NOT NULL,
    CONSTRAINT housekeeping_has_one_row CHECK (is_only_row)
);

COMMENT ON TABLE public.housekeeping IS 'When a process last began to remove what has expired: one row, or none yet.';

ALTER TABLE ONLY public.housekeeping
    ADD CONSTRAINT housekeeping_pkey PRIMARY KEY (is_only_row);

GRANT SELECT, INSERT, UPDATE (swept_at) ON TABLE public.housekeeping TO todo_app;

-- --- sweep_sessions ---

CREATE FUNCTION public.sweep_sessions(most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
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

ALTER FUNCTION public.sweep_sessions(most integer) OWNER TO todo_auth;

COMMENT ON FUNCTION public.sweep_sessions(most integer) IS 'Removes so many of the expired sessions of all users, oldest first; returns how many.';

REVOKE ALL ON FUNCTION public.sweep_sessions(most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.sweep_sessions(most integer) TO todo_app;

-- --- sweep_idempotency_keys ---

CREATE FUNCTION public.sweep_idempotency_keys(most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
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

ALTER FUNCTION public.sweep_idempotency_keys(most integer) OWNER TO todo_auth;

COMMENT ON FUNCTION public.sweep_idempotency_keys(most integer) IS 'Removes so many of the keys of all users that are older than 24 hours, oldest first; returns how many.';

REVOKE ALL ON FUNCTION public.sweep_idempotency_keys(most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.sweep_idempotency_keys(most integer) TO todo_app;

-- --- sweep_auth_events ---

CREATE FUNCTION public.sweep_auth_events(days integer, most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
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

ALTER FUNCTION public.sweep_auth_events(days integer, most integer) OWNER TO todo_auth;

COMMENT ON FUNCTION public.sweep_auth_events(days integer, most integer) IS 'Removes so many of the events that are older than so many days (at least one), oldest first; returns how many.';

REVOKE ALL ON FUNCTION public.sweep_auth_events(days integer, most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.sweep_auth_events(days integer, most integer) TO todo_app;

-- --- own_password ---

CREATE FUNCTION public.own_password() RETURNS TABLE(email text, password_hash text, password_version bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT u.email, u.password_hash, u.password_version
    FROM public.users AS u
    WHERE u.user_id = nullif(current_setting('app.user_id', true), '')::uuid
$$;

ALTER FUNCTION public.own_password() OWNER TO todo_auth;

COMMENT ON FUNCTION public.own_password() IS 'The password hash of the transaction''s own user, for the calls that ask for the current password.';

REVOKE ALL ON FUNCTION public.own_password() FROM PUBLIC;
GRANT ALL ON FUNCTION public.own_password() TO todo_app;

-- --- take_turn_with_password ---

CREATE FUNCTION public.take_turn_with_password(known_version bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    own     CONSTANT pg_catalog.uuid :=
        nullif(pg_catalog.current_setting('app.user_id', true), '')::pg_catalog.uuid;
    version pg_catalog.int8;
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(own::pg_catalog.text, 0::pg_catalog.int8));
    SELECT u.password_version INTO version
    FROM public.users AS u
    WHERE u.user_id = own AND u.disabled_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the account is gone, or disabled' USING ERRCODE = 'TD401';
    END IF;
    IF version <> known_version THEN
        RAISE EXCEPTION 'the password was changed' USING ERRCODE = 'TD403';
    END IF;
END
$$;

COMMENT ON FUNCTION public.take_turn_with_password(known_version bigint) IS 'Takes the user''s turn, as users/take_turn; raises TD403 if the password is not the one that was checked.';

REVOKE ALL ON FUNCTION public.take_turn_with_password(known_version bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.take_turn_with_password(known_version bigint) TO todo_app;

-- --- delete_account ---

CREATE FUNCTION public.delete_account() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    own CONSTANT uuid := nullif(current_setting('app.user_id', true), '')::uuid;
BEGIN
    UPDATE public.users SET password_version = password_version + 1 WHERE user_id = own;
    DELETE FROM public.sessions WHERE user_id = own;
    DELETE FROM public.task_counts WHERE user_id = own;
    DELETE FROM public.users WHERE user_id = own;
    DELETE FROM public.auth_events WHERE user_id = own;
END
$$;

ALTER FUNCTION public.delete_account() OWNER TO todo_auth;

COMMENT ON FUNCTION public.delete_account() IS 'Deletes the transaction''s own user and all that is theirs. Only after take_turn_with_password.';

REVOKE ALL ON FUNCTION public.delete_account() FROM PUBLIC;
GRANT ALL ON FUNCTION public.delete_account() TO todo_app;

-- --- api_tokens ---

CREATE TABLE public.api_tokens (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    scope text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    last_used_on date,
    CONSTRAINT api_tokens_expire_after_start CHECK ((expires_at > created_at)),
    CONSTRAINT api_tokens_last_a_year CHECK (((expires_at - created_at) <= '366 days'::interval)),
    CONSTRAINT api_tokens_name_has_no_control_characters CHECK ((name !~ '[\u0001-\u001F\u007F-\u009F]'::text)),
    CONSTRAINT api_tokens_name_length CHECK (((char_length(name) >= 1) AND (char_length(name) <= 100))),
    CONSTRAINT api_tokens_name_trimmed CHECK ((name = btrim(name))),
    CONSTRAINT api_tokens_scope_known CHECK ((scope = ANY (ARRAY['read'::text, 'write'::text])))
);

ALTER TABLE ONLY public.api_tokens FORCE ROW LEVEL SECURITY;

COMMENT ON TABLE public.api_tokens IS 'What lets a program act for its user. A token lives exactly as long as its row here.';

COMMENT ON COLUMN public.api_tokens.id IS 'The first 122 bits of the token''s SHA-256, as a UUID of version 8 (RFC 9562).';

COMMENT ON COLUMN public.api_tokens.scope IS 'write includes reading; the transactions of read are read-only.';

COMMENT ON COLUMN public.api_tokens.expires_at IS 'Null: never.';

COMMENT ON COLUMN public.api_tokens.last_used_on IS 'The day in UTC of the last request. Null: not used yet.';

ALTER TABLE ONLY public.api_tokens
    ADD CONSTRAINT api_tokens_pkey PRIMARY KEY (user_id, id);

CREATE INDEX api_tokens_by_expiry ON public.api_tokens USING btree (expires_at);

ALTER TABLE ONLY public.api_tokens
    ADD CONSTRAINT api_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(user_id) ON DELETE CASCADE;

ALTER TABLE public.api_tokens ENABLE ROW LEVEL SECURITY;

CREATE POLICY api_tokens_end ON public.api_tokens FOR DELETE TO todo_auth
    USING (true);

CREATE POLICY api_tokens_find ON public.api_tokens FOR SELECT TO todo_auth
    USING (true);

CREATE POLICY api_tokens_own ON public.api_tokens TO todo_app
    USING ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid))
    WITH CHECK ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid));

GRANT SELECT, DELETE, INSERT (user_id, id, name, scope, expires_at), UPDATE (last_used_on) ON TABLE public.api_tokens TO todo_app;
GRANT DELETE, SELECT (user_id, id, expires_at) ON TABLE public.api_tokens TO todo_auth;

-- --- begin_token ---

CREATE FUNCTION public.begin_token(acting_user uuid, acting_token uuid, acting_scope text) RETURNS void
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

COMMENT ON FUNCTION public.begin_token(acting_user uuid, acting_token uuid, acting_scope text) IS 'As begin_session, for an API token: raises TD401 unless it is alive. With the scope read nothing can be written.';

REVOKE ALL ON FUNCTION public.begin_token(acting_user uuid, acting_token uuid, acting_scope text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.begin_token(acting_user uuid, acting_token uuid, acting_scope text) TO todo_app;

-- --- sweep_api_tokens ---

CREATE FUNCTION public.sweep_api_tokens(most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
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

ALTER FUNCTION public.sweep_api_tokens(most integer) OWNER TO todo_auth;

COMMENT ON FUNCTION public.sweep_api_tokens(most integer) IS 'Removes so many of the expired API tokens of all users, oldest first; returns how many.';

REVOKE ALL ON FUNCTION public.sweep_api_tokens(most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.sweep_api_tokens(most integer) TO todo_app;

-- --- reset_codes ---

CREATE TABLE public.reset_codes (
    user_id uuid NOT NULL,
    code_hash bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT reset_codes_code_hash_is_sha256 CHECK ((octet_length(code_hash) = 32))
);

ALTER TABLE ONLY public.reset_codes FORCE ROW LEVEL SECURITY;

COMMENT ON TABLE public.reset_codes IS 'Codes that let a user set a new password, once: at most one an account.';

COMMENT ON COLUMN public.reset_codes.code_hash IS 'SHA-256 of the code, which is 140 random bits.';

ALTER TABLE ONLY public.reset_codes
    ADD CONSTRAINT reset_codes_pkey PRIMARY KEY (user_id);

CREATE INDEX reset_codes_by_expiry ON public.reset_codes USING btree (expires_at);

CREATE INDEX reset_codes_by_hash ON public.reset_codes USING btree (code_hash);

ALTER TABLE ONLY public.reset_codes
    ADD CONSTRAINT reset_codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(user_id) ON DELETE CASCADE;

ALTER TABLE public.reset_codes ENABLE ROW LEVEL SECURITY;

CREATE POLICY reset_codes_of_operator ON public.reset_codes TO todo_auth
    USING (true)
    WITH CHECK (true);

CREATE POLICY reset_codes_own ON public.reset_codes TO todo_app
    USING ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid))
    WITH CHECK ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid));

GRANT SELECT, DELETE ON TABLE public.reset_codes TO todo_app;
GRANT SELECT, DELETE, INSERT (user_id, code_hash, expires_at), UPDATE (code_hash, expires_at) ON TABLE public.reset_codes TO todo_auth;

-- --- invites ---

CREATE TABLE public.invites (
    code_hash bytea NOT NULL,
    email text,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT invites_code_hash_is_sha256 CHECK ((octet_length(code_hash) = 32)),
    CONSTRAINT invites_email_length CHECK (((char_length(email) >= 5) AND (char_length(email) <= 254)))
);

COMMENT ON TABLE public.invites IS 'Codes that let somebody sign up, once. They belong to nobody yet.';

COMMENT ON COLUMN public.invites.code_hash IS 'SHA-256 of the code, which is 140 random bits.';

COMMENT ON COLUMN public.invites.email IS 'Only this address may sign up with it; null: any.';

ALTER TABLE ONLY public.invites
    ADD CONSTRAINT invites_pkey PRIMARY KEY (code_hash);

CREATE INDEX invites_by_expiry ON public.invites USING btree (expires_at);

GRANT SELECT, DELETE, INSERT (code_hash, email, expires_at) ON TABLE public.invites TO todo_auth;

-- --- find_reset_code ---

CREATE FUNCTION public.find_reset_code(wanted_hash bytea) RETURNS TABLE(user_id uuid, email text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    RETURN QUERY
    SELECT u.user_id, u.email
    FROM public.reset_codes AS c
    INNER JOIN public.users AS u ON u.user_id = c.user_id
    WHERE c.code_hash = wanted_hash AND c.expires_at > now() AND u.disabled_at IS NULL;
END
$$;

ALTER FUNCTION public.find_reset_code(wanted_hash bytea) OWNER TO todo_auth;

COMMENT ON FUNCTION public.find_reset_code(wanted_hash bytea) IS 'Whose code it is, while it is good. Who has the code is not signed in.';

REVOKE ALL ON FUNCTION public.find_reset_code(wanted_hash bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION public.find_reset_code(wanted_hash bytea) TO todo_app;

-- --- use_reset_code ---

CREATE FUNCTION public.use_reset_code(wanted_hash bytea) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    own  CONSTANT uuid := nullif(current_setting('app.user_id', true), '')::uuid;
    used integer;
BEGIN
    PERFORM FROM public.users WHERE user_id = own AND disabled_at IS NULL;
    IF FOUND THEN
        DELETE FROM public.reset_codes WHERE user_id = own AND code_hash = wanted_hash AND expires_at > now();
        GET DIAGNOSTICS used = ROW_COUNT;
    END IF;
    IF used IS DISTINCT FROM 1 THEN
        RAISE EXCEPTION 'the code is not good, or no longer' USING ERRCODE = 'TD410';
    END IF;
END
$$;

COMMENT ON FUNCTION public.use_reset_code(wanted_hash bytea) IS 'Uses up the code of the transaction''s own user: raises TD410 unless it is good.';

REVOKE ALL ON FUNCTION public.use_reset_code(wanted_hash bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION public.use_reset_code(wanted_hash bytea) TO todo_app;

-- --- find_invite ---

CREATE FUNCTION public.find_invite(wanted_hash bytea, new_email text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT count(*) > 0
    FROM public.invites AS i
    WHERE i.code_hash = wanted_hash AND i.expires_at > now()
        AND (i.email IS NULL OR lower(i.email) = lower(new_email))
$$;

ALTER FUNCTION public.find_invite(wanted_hash bytea, new_email text) OWNER TO todo_auth;

COMMENT ON FUNCTION public.find_invite(wanted_hash bytea, new_email text) IS 'Whether the invite is good, for this address.';

REVOKE ALL ON FUNCTION public.find_invite(wanted_hash bytea, new_email text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.find_invite(wanted_hash bytea, new_email text) TO todo_app;

-- --- use_invite ---

CREATE FUNCTION public.use_invite(wanted_hash bytea, new_email text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    used integer;
BEGIN
    DELETE FROM public.invites
    WHERE code_hash = wanted_hash AND expires_at > now() AND (email IS NULL OR lower(email) = lower(new_email));
    GET DIAGNOSTICS used = ROW_COUNT;
    IF used <> 1 THEN
        RAISE EXCEPTION 'the code is not good, or no longer' USING ERRCODE = 'TD410';
    END IF;
END
$$;

ALTER FUNCTION public.use_invite(wanted_hash bytea, new_email text) OWNER TO todo_auth;

COMMENT ON FUNCTION public.use_invite(wanted_hash bytea, new_email text) IS 'Uses up an invite in the transaction that adds its account: raises TD410 unless it is good, for this address.';

REVOKE ALL ON FUNCTION public.use_invite(wanted_hash bytea, new_email text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.use_invite(wanted_hash bytea, new_email text) TO todo_app;

-- --- sweep_reset_codes ---

CREATE FUNCTION public.sweep_reset_codes(most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    gone    uuid[];
    removed integer;
BEGIN
    PERFORM set_config('lock_timeout', '200ms', true), set_config('plan_cache_mode', 'force_custom_plan', true);
    SELECT array_agg(expired.user_id) INTO gone
    FROM (
        SELECT c.user_id FROM public.reset_codes AS c WHERE c.expires_at <= now() ORDER BY c.expires_at LIMIT most
    ) AS expired;
    DELETE FROM public.reset_codes WHERE user_id = ANY (gone) AND expires_at <= now();
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;

ALTER FUNCTION public.sweep_reset_codes(most integer) OWNER TO todo_auth;

COMMENT ON FUNCTION public.sweep_reset_codes(most integer) IS 'Removes so many of the expired reset codes of all users; returns how many.';

REVOKE ALL ON FUNCTION public.sweep_reset_codes(most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.sweep_reset_codes(most integer) TO todo_app;

-- --- sweep_invites ---

CREATE FUNCTION public.sweep_invites(most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    gone    bytea[];
    removed integer;
BEGIN
    PERFORM set_config('lock_timeout', '200ms', true), set_config('plan_cache_mode', 'force_custom_plan', true);
    SELECT array_agg(expired.code_hash) INTO gone
    FROM (
        SELECT i.code_hash FROM public.invites AS i WHERE i.expires_at <= now() ORDER BY i.expires_at LIMIT most
    ) AS expired;
    DELETE FROM public.invites WHERE code_hash = ANY (gone) AND expires_at <= now();
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;

ALTER FUNCTION public.sweep_invites(most integer) OWNER TO todo_auth;

COMMENT ON FUNCTION public.sweep_invites(most integer) IS 'Removes so many of the expired invites; returns how many.';

REVOKE ALL ON FUNCTION public.sweep_invites(most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.sweep_invites(most integer) TO todo_app;

-- --- sign_in_networks ---

CREATE TABLE public.sign_in_networks (
    user_id uuid NOT NULL,
    network cidr NOT NULL,
    seen_on date NOT NULL
);

ALTER TABLE ONLY public.sign_in_networks FORCE ROW LEVEL SECURITY;

COMMENT ON TABLE public.sign_in_networks IS 'The networks that a user has signed in from: the last 100, and none for longer than 90 days.';

COMMENT ON COLUMN public.sign_in_networks.network IS 'An IPv4 address, or the /64 of an IPv6 address.';

COMMENT ON COLUMN public.sign_in_networks.seen_on IS 'The day of the latest sign-in from there, in UTC.';

ALTER TABLE ONLY public.sign_in_networks
    ADD CONSTRAINT sign_in_networks_pkey PRIMARY KEY (user_id, network);

CREATE INDEX sign_in_networks_by_day ON public.sign_in_networks USING btree (seen_on);

ALTER TABLE ONLY public.sign_in_networks
    ADD CONSTRAINT sign_in_networks_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(user_id) ON DELETE CASCADE;

ALTER TABLE public.sign_in_networks ENABLE ROW LEVEL SECURITY;

CREATE POLICY sign_in_networks_find ON public.sign_in_networks FOR SELECT TO todo_auth
    USING (true);

CREATE POLICY sign_in_networks_own ON public.sign_in_networks TO todo_app
    USING ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid))
    WITH CHECK ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid));

CREATE POLICY sign_in_networks_sweep ON public.sign_in_networks FOR DELETE TO todo_auth
    USING ((seen_on < (((now() AT TIME ZONE 'UTC'::text))::date - 90)));

GRANT SELECT, DELETE, INSERT (user_id, network, seen_on), UPDATE (seen_on) ON TABLE public.sign_in_networks TO todo_app;
GRANT SELECT, DELETE ON TABLE public.sign_in_networks TO todo_auth;

-- --- find_account_from ---

CREATE FUNCTION public.find_account_from(wanted_email text, from_network cidr) RETURNS TABLE(user_id uuid, password_hash text, password_version bigint, is_disabled boolean, is_known_network boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    today CONSTANT date := (now() AT TIME ZONE 'UTC')::date;
    of_user uuid;
BEGIN
    SELECT u.user_id, u.password_hash, u.password_version, u.disabled_at IS NOT NULL
    INTO user_id, password_hash, password_version, is_disabled
    FROM public.users AS u
    WHERE lower(u.email) = lower(wanted_email);
    of_user := coalesce(user_id, gen_random_uuid());
    SELECT count(*) > 0
    INTO is_known_network
    FROM public.sign_in_networks AS s
    WHERE s.user_id = of_user
        AND s.network = from_network
        AND s.seen_on >= today - 90;
    IF of_user = user_id THEN
        RETURN NEXT;
    END IF;
END
$$;

ALTER FUNCTION public.find_account_from(wanted_email text, from_network cidr) OWNER TO todo_auth;

COMMENT ON FUNCTION public.find_account_from(wanted_email text, from_network cidr) IS 'Login has to find an account before anyone is signed in, and whether the network is one that its user knows.';

REVOKE ALL ON FUNCTION public.find_account_from(wanted_email text, from_network cidr) FROM PUBLIC;
GRANT ALL ON FUNCTION public.find_account_from(wanted_email text, from_network cidr) TO todo_app;

-- --- sweep_sign_in_networks ---

CREATE FUNCTION public.sweep_sign_in_networks(most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    border   date;
    of_users uuid[];
    gone     cidr[];
    removed  integer;
BEGIN
    PERFORM set_config('lock_timeout', '200ms', true), set_config('plan_cache_mode', 'force_custom_plan', true);
    SELECT max(oldest.seen_on), array_agg(oldest.user_id), array_agg(oldest.network) INTO border, of_users, gone
    FROM (
        SELECT s.user_id, s.network, s.seen_on
        FROM public.sign_in_networks AS s
        WHERE s.seen_on < (now() AT TIME ZONE 'UTC')::date - 90
        ORDER BY s.seen_on
        LIMIT most
    ) AS oldest;
    DELETE FROM public.sign_in_networks
    WHERE seen_on <= border AND user_id = ANY (of_users) AND network = ANY (gone);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;

ALTER FUNCTION public.sweep_sign_in_networks(most integer) OWNER TO todo_auth;

COMMENT ON FUNCTION public.sweep_sign_in_networks(most integer) IS 'Removes so many of the networks that no sign-in came from for 90 days, oldest first; returns how many.';

REVOKE ALL ON FUNCTION public.sweep_sign_in_networks(most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.sweep_sign_in_networks(most integer) TO todo_app;

-- --- deleted_tasks ---

CREATE TABLE public.deleted_tasks (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    revision bigint NOT NULL,
    deleted_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT deleted_tasks_revision_positive CHECK ((revision > 0))
);

ALTER TABLE ONLY public.deleted_tasks FORCE ROW LEVEL SECURITY;

COMMENT ON TABLE public.deleted_tasks IS 'Which tasks a user deleted in the last 30 days, for clients that keep a copy. Nothing of what was in them.';

ALTER TABLE ONLY public.deleted_tasks
    ADD CONSTRAINT deleted_tasks_pkey PRIMARY KEY (user_id, id);

CREATE INDEX deleted_tasks_by_revision ON public.deleted_tasks USING btree (user_id, revision);

CREATE INDEX deleted_tasks_by_time ON public.deleted_tasks USING btree (deleted_at);

ALTER TABLE ONLY public.deleted_tasks
    ADD CONSTRAINT deleted_tasks_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(user_id) ON DELETE CASCADE;

ALTER TABLE public.deleted_tasks ENABLE ROW LEVEL SECURITY;

CREATE POLICY deleted_tasks_find_old ON public.deleted_tasks FOR SELECT TO todo_auth
    USING ((deleted_at <= (now() - '30 days'::interval)));

CREATE POLICY deleted_tasks_own ON public.deleted_tasks TO todo_app
    USING ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid))
    WITH CHECK ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid));

CREATE POLICY deleted_tasks_sweep ON public.deleted_tasks FOR DELETE TO todo_auth
    USING ((deleted_at <= (now() - '30 days'::interval)));

GRANT SELECT, DELETE, INSERT (user_id, id, revision), UPDATE (revision, deleted_at) ON TABLE public.deleted_tasks TO todo_app;
GRANT SELECT, DELETE ON TABLE public.deleted_tasks TO todo_auth;

-- --- sweep_deleted_tasks ---

CREATE FUNCTION public.sweep_deleted_tasks(most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    expired CONSTANT timestamptz := now() - interval '30 days';
    border  timestamptz;
    gone    uuid[];
    removed integer;
BEGIN
    PERFORM set_config('lock_timeout', '200ms', true), set_config('plan_cache_mode', 'force_custom_plan', true);
    SELECT max(oldest.deleted_at), array_agg(oldest.id) INTO border, gone
    FROM (
        SELECT d.id, d.deleted_at
        FROM public.deleted_tasks AS d
        WHERE d.deleted_at <= expired
        ORDER BY d.deleted_at
        LIMIT most
    ) AS oldest;
    UPDATE public.task_counts AS c
    SET
        forgotten_revision = greatest(c.forgotten_revision, least(of_user.revision, c.revision)),
        deletions = greatest(c.deletions - of_user.number, 0)
    FROM (
        SELECT d.user_id, max(d.revision) AS revision, count(*)::integer AS number
        FROM public.deleted_tasks AS d
        WHERE d.deleted_at <= border AND d.id = ANY (gone)
        GROUP BY d.user_id
    ) AS of_user
    WHERE c.user_id = of_user.user_id;
    DELETE FROM public.deleted_tasks WHERE deleted_at <= border AND id = ANY (gone);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;

ALTER FUNCTION public.sweep_deleted_tasks(most integer) OWNER TO todo_auth;

COMMENT ON FUNCTION public.sweep_deleted_tasks(most integer) IS 'Removes so many of the deletions of all users that are older than 30 days, oldest first; returns how many.';

REVOKE ALL ON FUNCTION public.sweep_deleted_tasks(most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.sweep_deleted_tasks(most integer) TO todo_app;

-- --- batch_results ---

CREATE TABLE public.batch_results (
    user_id uuid NOT NULL,
    key text NOT NULL,
    place integer NOT NULL,
    answer text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY public.batch_results FORCE ROW LEVEL SECURITY;

COMMENT ON TABLE public.batch_results IS 'What the statements of batches with a key returned. Good as long as the key is, for 24 hours.';

COMMENT ON COLUMN public.batch_results.place IS 'In the batch, of the first operation that the statement did.';

COMMENT ON COLUMN public.batch_results.answer IS 'The rows, as a JSON array of arrays. A statement without rows has none here.';

COMMENT ON COLUMN public.batch_results.created_at IS 'As the key''s.';

ALTER TABLE ONLY public.batch_results
    ADD CONSTRAINT batch_results_pkey PRIMARY KEY (user_id, key, place);

CREATE INDEX batch_results_by_time ON public.batch_results USING btree (created_at);

ALTER TABLE ONLY public.batch_results
    ADD CONSTRAINT batch_results_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(user_id) ON DELETE CASCADE;

ALTER TABLE public.batch_results ENABLE ROW LEVEL SECURITY;

CREATE POLICY batch_results_find_old ON public.batch_results FOR SELECT TO todo_auth
    USING ((created_at <= (now() - '24:01:00'::interval)));

CREATE POLICY batch_results_own ON public.batch_results TO todo_app
    USING ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid))
    WITH CHECK ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid));

CREATE POLICY batch_results_sweep ON public.batch_results FOR DELETE TO todo_auth
    USING ((created_at <= (now() - '24:01:00'::interval)));

GRANT SELECT, DELETE, INSERT (user_id, key, place, answer) ON TABLE public.batch_results TO todo_app;
GRANT DELETE, SELECT (created_at) ON TABLE public.batch_results TO todo_auth;

-- --- sweep_batch_results ---

CREATE FUNCTION public.sweep_batch_results(most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
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

ALTER FUNCTION public.sweep_batch_results(most integer) OWNER TO todo_auth;

COMMENT ON FUNCTION public.sweep_batch_results(most integer) IS 'Removes so many of the results of all users'' batches that are older than 24 hours, oldest first; returns how many.';

REVOKE ALL ON FUNCTION public.sweep_batch_results(most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.sweep_batch_results(most integer) TO todo_app;

-- --- batch_room ---

CREATE FUNCTION public.batch_room(sizes integer[], room_tasks integer, room_bytes bigint) RETURNS integer[]
    LANGUAGE plpgsql IMMUTABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp'
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

COMMENT ON FUNCTION public.batch_room(sizes integer[], room_tasks integer, room_bytes bigint) IS 'The numbers, from 1, of those that fit one after the other into so many tasks and so many bytes.';

REVOKE ALL ON FUNCTION public.batch_room(sizes integer[], room_tasks integer, room_bytes bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.batch_room(sizes integer[], room_tasks integer, room_bytes bigint) TO todo_app;
