-- Counters of the rate limit: one row for each limited client, gone soon after its window.
-- UNLOGGED: no WAL for what is worthless after a minute; a crash of the server forgets the counts.
--
-- Locks: none on a table that was there before
-- Time:  a moment, whatever the tables hold
-- depends: 0005.auth_events

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

CREATE UNLOGGED TABLE rate_limits (
    key        text          NOT NULL,
    hits       timestamptz[] NOT NULL,
    expires_at timestamptz   NOT NULL,
    CONSTRAINT rate_limits_pkey PRIMARY KEY (key)
);

COMMENT ON TABLE rate_limits IS 'Counters of the rate limit: one row for each limited client, gone soon after.';
COMMENT ON COLUMN rate_limits.hits IS 'The accepted attempts inside the window, oldest first.';

CREATE INDEX rate_limits_expires_at ON rate_limits (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON rate_limits TO todo_app;
