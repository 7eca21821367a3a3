-- The counters of the rate limit are lost: every client starts afresh.
--
-- Locks: ACCESS EXCLUSIVE on rate_limits
-- Time:  a moment, whatever the tables hold
-- squawk-ignore-file ban-drop-table

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

DROP TABLE rate_limits;
