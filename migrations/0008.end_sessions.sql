-- An operator may end everybody's sessions: todo_auth sees them all, and leaves a logout in each user's events.
--
-- Locks: ACCESS EXCLUSIVE on auth_events, sessions
--        For the policies: nobody reads or writes them meanwhile.
-- Time:  a moment, whatever the tables hold
-- depends: 0007.text_of_times

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

GRANT SELECT (user_id, expires_at), DELETE ON sessions TO todo_auth;
GRANT INSERT (event, reason, user_id, address, request_id) ON auth_events TO todo_auth;

CREATE POLICY sessions_find ON sessions FOR SELECT TO todo_auth
USING (true);

CREATE POLICY sessions_end ON sessions FOR DELETE TO todo_auth
USING (true);

CREATE POLICY auth_events_end ON auth_events FOR INSERT TO todo_auth
WITH CHECK (event = 'logout' AND user_id IS NOT NULL);
