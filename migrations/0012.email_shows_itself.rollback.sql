-- Nothing is lost. New addresses may have characters that do not show again, as far as the database is asked.
--
-- Locks: ACCESS EXCLUSIVE on users
-- Time:  a moment, whatever the tables hold

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

DROP POLICY users_email_shows_itself ON users;
