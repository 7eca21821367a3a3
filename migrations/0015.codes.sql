-- Codes that an operator gives out: one that lets a user set a password, and invites to sign up.
--
-- Only hashes are kept, and nobody but todo_auth may look for one. todo_app may remove its own user's code, and knows
-- whether there was one: so a reset works as the user, and uses up the code in the transaction that it is for.
--
-- Locks: ACCESS EXCLUSIVE on task_counts; SHARE ROW EXCLUSIVE on users
--        For the policy nobody reads or writes task_counts, for the foreign key nobody writes to users meanwhile.
-- Time:  a moment, whatever the tables hold
-- depends: 0014.api_tokens

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

-- One row an account: a new code takes the place of the former one.
CREATE TABLE reset_codes (
    user_id    uuid        NOT NULL,
    code_hash  bytea       NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT reset_codes_pkey PRIMARY KEY (user_id),
    CONSTRAINT reset_codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE,
    CONSTRAINT reset_codes_code_hash_is_sha256 CHECK (octet_length(code_hash) = 32)
);

COMMENT ON TABLE reset_codes IS 'Codes that let a user set a new password, once: at most one an account.';
COMMENT ON COLUMN reset_codes.code_hash IS 'SHA-256 of the code, which is 140 random bits.';

CREATE INDEX reset_codes_by_hash ON reset_codes (code_hash);
CREATE INDEX reset_codes_by_expiry ON reset_codes (expires_at);

CREATE TABLE invites (
    code_hash  bytea       NOT NULL,
    email      text,
    expires_at timestamptz NOT NULL,
    CONSTRAINT invites_pkey PRIMARY KEY (code_hash),
    CONSTRAINT invites_code_hash_is_sha256 CHECK (octet_length(code_hash) = 32),
    CONSTRAINT invites_email_length CHECK (char_length(email) BETWEEN 5 AND 254)
);

CREATE INDEX invites_by_expiry ON invites (expires_at);

COMMENT ON TABLE invites IS 'Codes that let somebody sign up, once. They belong to nobody yet.';
COMMENT ON COLUMN invites.code_hash IS 'SHA-256 of the code, which is 140 random bits.';
COMMENT ON COLUMN invites.email IS 'Only this address may sign up with it; null: any.';

GRANT SELECT, DELETE ON reset_codes TO todo_app;
GRANT SELECT, INSERT (user_id, code_hash, expires_at), UPDATE (code_hash, expires_at), DELETE ON reset_codes
TO todo_auth;
GRANT SELECT, INSERT (code_hash, email, expires_at), DELETE ON invites TO todo_auth;

ALTER TABLE reset_codes ENABLE ROW LEVEL SECURITY;
ALTER TABLE reset_codes FORCE ROW LEVEL SECURITY;

CREATE POLICY reset_codes_own ON reset_codes TO todo_app
USING (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid)
WITH CHECK (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid);

CREATE POLICY reset_codes_of_operator ON reset_codes TO todo_auth
USING (TRUE)
WITH CHECK (TRUE);

-- An operator's list of accounts says how much each holds.
GRANT SELECT (tasks) ON task_counts TO todo_auth;

CREATE POLICY task_counts_of_operator ON task_counts FOR SELECT TO todo_auth
USING (TRUE);

-- In PL/pgSQL, since Citus has no plan for the parameter of an SQL function.
CREATE FUNCTION find_reset_code(wanted_hash bytea)
RETURNS TABLE (user_id uuid, email text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT u.user_id, u.email
    FROM public.reset_codes AS c
    INNER JOIN public.users AS u ON u.user_id = c.user_id
    WHERE c.code_hash = wanted_hash AND c.expires_at > now() AND u.disabled_at IS NULL;
END
$$;

COMMENT ON FUNCTION find_reset_code(bytea) IS
'Whose code it is, while it is good. Who has the code is not signed in.';

-- Not SECURITY DEFINER: on Citus, one transaction may not change rows of a worker as two roles.
CREATE FUNCTION use_reset_code(wanted_hash bytea)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
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

COMMENT ON FUNCTION use_reset_code(bytea) IS
'Uses up the code of the transaction''s own user: raises TD410 unless it is good.';

CREATE FUNCTION find_invite(wanted_hash bytea, new_email text)
RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT count(*) > 0
    FROM public.invites AS i
    WHERE i.code_hash = wanted_hash AND i.expires_at > now()
        AND (i.email IS NULL OR lower(i.email) = lower(new_email))
$$;

COMMENT ON FUNCTION find_invite(bytea, text) IS 'Whether the invite is good, for this address.';

CREATE FUNCTION use_invite(wanted_hash bytea, new_email text)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
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

COMMENT ON FUNCTION use_invite(bytea, text) IS
'Uses up an invite in the transaction that adds its account: raises TD410 unless it is good, for this address.';

-- As the sweeps of 0011: what goes is found first, and a row that somebody holds ends the call.
CREATE FUNCTION sweep_reset_codes(most integer)
RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
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

CREATE FUNCTION sweep_invites(most integer)
RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
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

COMMENT ON FUNCTION sweep_reset_codes(integer) IS
'Removes so many of the expired reset codes of all users; returns how many.';
COMMENT ON FUNCTION sweep_invites(integer) IS 'Removes so many of the expired invites; returns how many.';

REVOKE ALL ON FUNCTION find_reset_code(bytea), use_reset_code(bytea), find_invite(bytea, text), use_invite(bytea, text),
sweep_reset_codes(integer), sweep_invites(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_reset_code(bytea), use_reset_code(bytea), find_invite(bytea, text),
use_invite(bytea, text), sweep_reset_codes(integer), sweep_invites(integer) TO todo_app;
GRANT CREATE ON SCHEMA public TO todo_auth;
ALTER FUNCTION find_reset_code(bytea) OWNER TO todo_auth;
ALTER FUNCTION find_invite(bytea, text) OWNER TO todo_auth;
ALTER FUNCTION use_invite(bytea, text) OWNER TO todo_auth;
ALTER FUNCTION sweep_reset_codes(integer) OWNER TO todo_auth;
ALTER FUNCTION sweep_invites(integer) OWNER TO todo_auth;
REVOKE CREATE ON SCHEMA public FROM todo_auth;
