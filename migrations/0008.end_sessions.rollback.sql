-- Nobody but a superuser may end the sessions of others.
--
-- Locks: ACCESS EXCLUSIVE on auth_events, sessions
--        For the policies: nobody reads or writes them meanwhile.
-- Time:  a moment, whatever the tables hold

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

DROP POLICY auth_events_end ON auth_events;
DROP POLICY sessions_end ON sessions;
DROP POLICY sessions_find ON sessions;

REVOKE INSERT (event, reason, user_id, address, request_id) ON auth_events FROM todo_auth;
REVOKE SELECT (user_id, expires_at), DELETE ON sessions FROM todo_auth;
