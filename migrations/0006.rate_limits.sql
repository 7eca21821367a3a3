-- Counters of the rate limit: one row for each limited client, gone soon after its window.
-- UNLOGGED: no WAL for what is worthless after a minute; a crash of the server forgets the counts.
--
-- Locks: none that anyone waits for; the table is new.
-- depends: 0005.auth_events

SET LOCAL lock_timeout = '5s';

CREATE UNLOGGED TABLE rate_limits (
    key        text          NOT NULL,
    hits       timestamptz[] NOT NULL,  -- the accepted ones inside the window, oldest first
    expires_at timestamptz   NOT NULL,
    CONSTRAINT rate_limits_pkey PRIMARY KEY (key)
);

CREATE INDEX rate_limits_expires_at ON rate_limits (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON rate_limits TO todo_app;
