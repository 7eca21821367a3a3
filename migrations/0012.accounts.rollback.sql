-- Disabled accounts can be signed in to again, and events of the kinds that this migration brought are lost.
--
-- Locks: ACCESS EXCLUSIVE on auth_events, task_counts, users
--        For columns, policies and the constraint: nobody reads or writes them meanwhile.
-- Time:  as long as it takes to read auth_events twice
-- squawk-ignore-file ban-drop-column, ban-drop-constraint, ban-drop-function, constraint-missing-not-valid

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '1min';

ALTER TABLE auth_events DROP CONSTRAINT auth_events_event_known;
-- The owner sees no row of a table that forces row security. The lock keeps others out until it does so again.
ALTER TABLE auth_events NO FORCE ROW LEVEL SECURITY;
DELETE FROM auth_events
WHERE event NOT IN (
        'signup', 'login', 'logout', 'signup_refused', 'login_refused', 'token_refused', 'foreign_user', 'rate_limited'
    );
ALTER TABLE auth_events FORCE ROW LEVEL SECURITY;
ALTER TABLE auth_events ADD CONSTRAINT auth_events_event_known CHECK (
    event IN (
        'signup', 'login', 'logout',
        'signup_refused', 'login_refused', 'token_refused', 'foreign_user', 'rate_limited'
    )
);

DROP POLICY auth_events_operator ON auth_events;
CREATE POLICY auth_events_end ON auth_events FOR INSERT TO todo_auth
WITH CHECK (event = 'logout' AND user_id IS NOT NULL);
DROP POLICY auth_events_forget ON auth_events;

REVOKE SELECT (id, occurred_at, event, reason, user_id, address, user_agent, request_id) ON auth_events FROM todo_app;
REVOKE SELECT (user_id, event) ON auth_events FROM todo_auth;

DROP FUNCTION delete_account();
DROP FUNCTION take_turn_with_password(bigint);
DROP FUNCTION own_password();

DROP POLICY task_counts_forget ON task_counts;
REVOKE SELECT (user_id), DELETE ON task_counts FROM todo_auth;

DROP POLICY users_delete ON users;
DROP POLICY users_change ON users;
DROP POLICY users_add ON users;
REVOKE INSERT (user_id, email, password_hash),
UPDATE (password_hash, password_version, disabled_at),
SELECT (created_at, password_version, disabled_at),
DELETE ON users FROM todo_auth;
REVOKE SELECT (password_version, disabled_at), UPDATE (email, password_hash, password_version) ON users FROM todo_app;

ALTER TABLE users DROP COLUMN disabled_at;
ALTER TABLE users DROP COLUMN password_version;
