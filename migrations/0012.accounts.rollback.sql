-- Disabled accounts can be signed in to again, and events of the kinds that this migration brought are lost.
--
-- Locks: ACCESS EXCLUSIVE on auth_events, users
--        For columns, policies and the constraint: nobody reads or writes them meanwhile.
-- Time:  as long as it takes to read auth_events
-- squawk-ignore-file ban-drop-column

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '1min';
