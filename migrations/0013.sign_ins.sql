-- A session can be renewed, and knows where it came from: users see where they are signed in.
--
-- A sign-in is a login with all its renewals. Each of its tokens has a row of its own, as before.
--
-- Locks: ACCESS EXCLUSIVE on sessions
--        For the columns and the constraint: nobody reads or writes sessions meanwhile.
-- Time:  as long as it takes to read all sessions once: 0.3 s for a million
-- depends: 0012.accounts

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

-- All of them may be null: the version before this one goes on to start sessions without them.
ALTER TABLE sessions ADD COLUMN sign_in_id uuid;
ALTER TABLE sessions ADD COLUMN signed_in_at timestamptz;
ALTER TABLE sessions ADD COLUMN address inet;
ALTER TABLE sessions ADD COLUMN user_agent text;

-- Valid at once: these are rows of a day or two, and quickly read.
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE sessions ADD CONSTRAINT sessions_user_agent_length CHECK (char_length(user_agent) <= 256);

COMMENT ON COLUMN sessions.sign_in_id IS
'The id of the sign-in''s first session, which the others renew. Null: this is the first one.';
COMMENT ON COLUMN sessions.signed_in_at IS 'When the sign-in began. Null: with this session.';
COMMENT ON COLUMN sessions.address IS 'Where the token was sent to. Null: started by a version that did not keep it.';

-- A renewal lets the session before it end soon.
GRANT INSERT (sign_in_id, signed_in_at, address, user_agent), UPDATE (expires_at) ON sessions TO todo_app;
-- The operator's command counts sign-ins.
GRANT SELECT (sign_in_id) ON sessions TO todo_auth;
