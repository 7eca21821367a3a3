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
    CONSTRAINT sessions_expire_after_start CHECK ((expires_at > created_at))
);

ALTER TABLE ONLY public.sessions FORCE ROW LEVEL SECURITY;

COMMENT ON TABLE public.sessions IS 'A token lives exactly as long as its row here.';

COMMENT ON COLUMN public.sessions.id IS 'The token''s jti.';

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

GRANT SELECT, DELETE, INSERT (user_id, id, expires_at) ON TABLE public.sessions TO todo_app;
GRANT DELETE, SELECT (user_id, id, expires_at) ON TABLE public.sessions TO todo_auth;

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

CREATE POLICY task_counts_find_forgotten ON public.task_counts FOR SELECT TO todo_auth
    USING (true);

CREATE POLICY task_counts_forget ON public.task_counts TO todo_auth
    USING ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid))
    WITH CHECK ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid));

CREATE POLICY task_counts_note_forgotten ON public.task_counts FOR UPDATE TO todo_auth
    USING (true);

CREATE POLICY task_counts_own ON public.task_counts TO todo_app
    USING ((user_id = ( SELECT (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid AS "nullif")))
    WITH CHECK ((user_id = ( SELECT (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid AS "nullif")));

GRANT SELECT, INSERT (user_id, tasks, numbered), UPDATE (tasks, numbered, text_bytes, revision, forgotten_revision, deletions) ON TABLE public.task_counts TO todo_app;
GRANT DELETE, SELECT (user_id, revision, forgotten_revision, deletions), UPDATE (forgotten_revision, deletions) ON TABLE public.task_counts TO todo_auth;

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
    expires_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.rate_limits IS 'Counters of the rate limit: one row for each limited client, gone soon after.';

COMMENT ON COLUMN public.rate_limits.hits IS 'The accepted attempts inside the window, oldest first.';

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

COMMENT ON COLUMN public.idempotency_keys.task_id IS 'The task that was created; it may be gone since.';

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

-- --- find_account ---

CREATE FUNCTION public.find_account(wanted_email text) RETURNS TABLE(user_id uuid, password_hash text, password_version bigint, is_disabled boolean)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT u.user_id, u.password_hash, u.password_version, u.disabled_at IS NOT NULL
    FROM public.users AS u
    WHERE lower(u.email) = lower(wanted_email)
$$;

ALTER FUNCTION public.find_account(wanted_email text) OWNER TO todo_auth;

COMMENT ON FUNCTION public.find_account(wanted_email text) IS 'Login has to find an account before anyone is signed in. Beside own_password this is the only way to a password hash.';

REVOKE ALL ON FUNCTION public.find_account(wanted_email text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.find_account(wanted_email text) TO todo_app;

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
