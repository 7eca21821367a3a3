-- Which networks users have signed in from is lost: guesses from there count as those of strangers.
--
-- Locks: ACCESS EXCLUSIVE on rate_limits, sign_in_networks, users
--        users for the foreign key: nobody reads or writes them meanwhile.
-- Time:  a moment, whatever the tables hold
-- squawk-ignore-file ban-drop-table, ban-drop-column, ban-drop-function

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

DROP FUNCTION find_account_from(text, cidr);
DROP FUNCTION sweep_sign_in_networks(integer);
DROP TABLE sign_in_networks;
ALTER TABLE rate_limits DROP COLUMN in_flight;
