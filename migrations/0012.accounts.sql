-- Users may change their password and address, and leave; an operator may add, disable and delete accounts.
--
-- todo_app may change its own user's row, but not remove it: that is delete_account's, which is todo_auth's and takes
-- no user but the one of the transaction.
--
-- Locks: ACCESS EXCLUSIVE on auth_events, task_counts, users
--        For columns, policies and the constraint: nobody reads or writes them meanwhile.
-- Time:  a moment, whatever the tables hold
-- depends: 0011.housekeeping

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

ALTER TABLE users ADD COLUMN password_version bigint NOT NULL DEFAULT 1;
ALTER TABLE users ADD COLUMN disabled_at timestamptz;

COMMENT ON COLUMN users.password_version IS
'Grows with each new password: what was allowed by the one before is refused.';
COMMENT ON COLUMN users.disabled_at IS 'Null: not disabled.';

GRANT SELECT (password_version, disabled_at), UPDATE (email, password_hash, password_version) ON users TO todo_app;
GRANT SELECT (created_at, password_version, disabled_at),
INSERT (user_id, email, password_hash),
UPDATE (password_hash, password_version, disabled_at),
DELETE ON users TO todo_auth;

CREATE POLICY users_add ON users FOR INSERT TO todo_auth
WITH CHECK (TRUE);
CREATE POLICY users_change ON users FOR UPDATE TO todo_auth
USING (TRUE);
CREATE POLICY users_delete ON users FOR DELETE TO todo_auth
USING (TRUE);

CREATE FUNCTION own_password()
RETURNS TABLE (email text, password_hash text, password_version bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT u.email, u.password_hash, u.password_version
    FROM public.users AS u
    WHERE u.user_id = nullif(current_setting('app.user_id', true), '')::uuid
$$;

COMMENT ON FUNCTION own_password() IS
'The password hash of the transaction''s own user, for the calls that ask for the current password.';

-- A password is checked between two transactions, since that takes long. The second one begins with this.
CREATE FUNCTION take_turn_with_password(known_version bigint)
RETURNS void
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

COMMENT ON FUNCTION take_turn_with_password(bigint) IS
'Takes the user''s turn, as users/take_turn; raises TD403 if the password is not the one that was checked.';

REVOKE ALL ON FUNCTION take_turn_with_password(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION take_turn_with_password(bigint) TO todo_app;

-- In the order in which requests lock rows: a session before the user (logout), the counter before tasks and user
-- (create, delete). Whoever holds one of these rows can so finish, and nobody waits in a circle. The user's row goes
-- with what was added until then, and whoever adds later waits for it and is refused by the foreign key.
-- The update is for Citus, where a create locks the shard of users before the counter; elsewhere it is in the way of no
-- foreign key. The events go by themselves: on Citus no foreign key takes them along.
CREATE FUNCTION delete_account()
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
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

COMMENT ON FUNCTION delete_account() IS
'Deletes the transaction''s own user and all that is theirs. Only after take_turn_with_password.';

GRANT SELECT (user_id), DELETE ON task_counts TO todo_auth;

CREATE POLICY task_counts_forget ON task_counts TO todo_auth
USING (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid)
WITH CHECK (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid);

REVOKE ALL ON FUNCTION own_password(), delete_account() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION own_password(), delete_account() TO todo_app;
GRANT CREATE ON SCHEMA public TO todo_auth;
ALTER FUNCTION own_password() OWNER TO todo_auth;
ALTER FUNCTION delete_account() OWNER TO todo_auth;
REVOKE CREATE ON SCHEMA public FROM todo_auth;

-- Users see what happened at their own door.
GRANT SELECT (id, occurred_at, event, reason, user_id, address, user_agent, request_id) ON auth_events TO todo_app;
GRANT SELECT (user_id, event) ON auth_events TO todo_auth;

CREATE POLICY auth_events_forget ON auth_events FOR DELETE TO todo_auth
USING (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid);

-- An operator's command touches the account of somebody else.
DROP POLICY auth_events_end ON auth_events;
CREATE POLICY auth_events_operator ON auth_events FOR INSERT TO todo_auth
WITH CHECK (reason = 'by the operator');

-- Not validated: every row keeps the constraint that this one replaces, and each of its names is in here.
-- squawk-ignore ban-drop-constraint
ALTER TABLE auth_events DROP CONSTRAINT auth_events_event_known;
ALTER TABLE auth_events ADD CONSTRAINT auth_events_event_known CHECK (
    event IN (
        'signup', 'login', 'renewal', 'logout', 'session_ended', 'sessions_ended',
        'password_changed', 'email_changed', 'password_reset', 'account_deleted',
        'token_created', 'token_ended',
        'account_added', 'account_invited', 'reset_code_made', 'account_disabled', 'account_enabled',
        'signup_refused', 'login_refused', 'password_refused', 'reset_refused',
        'token_refused', 'foreign_user', 'rate_limited'
    )
) NOT VALID;
