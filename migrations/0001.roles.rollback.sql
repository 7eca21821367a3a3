-- Forget what was applied, and drop the two roles, unless another database of the server needs them.
--
-- Locks: ACCESS EXCLUSIVE on applied_migrations
-- Time:  a moment, whatever the tables hold
-- squawk-ignore-file ban-drop-table

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

DROP TABLE applied_migrations;

REVOKE USAGE ON SCHEMA public FROM todo_app, todo_auth;

DO $roles$
DECLARE
    unwanted text;
BEGIN
    FOREACH unwanted IN ARRAY ARRAY['todo_app', 'todo_auth'] LOOP
        BEGIN
            EXECUTE format('DROP ROLE IF EXISTS %I', unwanted);
        EXCEPTION
            WHEN dependent_objects_still_exist OR insufficient_privilege THEN
                NULL;
        END;
    END LOOP;
END
$roles$;
