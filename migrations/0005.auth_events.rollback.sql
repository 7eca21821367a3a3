-- The record of what happened at the door is lost.
--
-- Locks: ACCESS EXCLUSIVE on auth_events, users
--        users for the foreign key: nobody reads or writes them meanwhile.
-- Time:  a moment, whatever the tables hold
-- squawk-ignore-file ban-drop-function, ban-drop-table

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

DROP FUNCTION auth_event_room(inet);
DROP TABLE auth_events;
