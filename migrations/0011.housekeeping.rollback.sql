-- Nothing is lost. What has expired stays from then on.
--
-- Locks: ACCESS EXCLUSIVE on auth_events, housekeeping, idempotency_keys, sessions
--        For the policies and indexes: nobody reads or writes them meanwhile.
-- Time:  a moment, whatever the tables hold
-- squawk-ignore-file ban-drop-table, ban-drop-function, require-concurrent-index-deletion

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

DROP FUNCTION sweep_sessions(integer), sweep_idempotency_keys(integer), sweep_auth_events(integer, integer);

DROP POLICY auth_events_sweep ON auth_events;
DROP POLICY idempotency_keys_sweep ON idempotency_keys;
DROP POLICY idempotency_keys_find_old ON idempotency_keys;

REVOKE SELECT (id), DELETE ON auth_events FROM todo_auth;
REVOKE SELECT (task_id, created_at), DELETE ON idempotency_keys FROM todo_auth;
REVOKE SELECT (id) ON sessions FROM todo_auth;

DROP TABLE housekeeping;
DROP INDEX idempotency_keys_by_time;
DROP INDEX sessions_by_expiry;
