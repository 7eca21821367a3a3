-- All API tokens are lost, and refused from then on.
--
-- Locks: ACCESS EXCLUSIVE on api_tokens, users
--        users for the foreign key: nobody reads or writes them meanwhile.
-- Time:  a moment, whatever the tables hold
-- squawk-ignore-file ban-drop-table, ban-drop-function

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

DROP FUNCTION sweep_api_tokens(integer), begin_token(uuid, uuid, text);
DROP TABLE api_tokens;
