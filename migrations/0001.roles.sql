-- The two roles of the service, and the record of what was applied.
--
-- todo_app    what every request works as: it owns nothing, can't log in and can't bypass row security
-- todo_auth   owns the few functions that must see rows before anyone is signed in
--
-- Another database of the server may have made them already. A login that may not create roles is told
-- which lines a DBA has to run once.
--
-- Locks: none on a table that was there before
--        Roles belong to the whole server: whoever makes the same ones for another database waits.
-- Time:  a moment, whatever the tables hold

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

DO $roles$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['todo_app', 'todo_auth'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            END IF;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN
                NULL;  -- another database of this server has just made it
        END;
        BEGIN
            EXECUTE format('GRANT %I TO %I', wanted, current_user);
        EXCEPTION
            WHEN insufficient_privilege THEN
                IF NOT pg_has_role(current_user, wanted, 'MEMBER') THEN
                    RAISE;
                END IF;
        END;
    END LOOP;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = format('the role "%s" may not create the roles of the service', current_user),
            HINT = format(
                'A DBA runs once, less what is there already: CREATE ROLE todo_app NOLOGIN; CREATE ROLE todo_auth NOLOGIN; '
                'GRANT todo_app, todo_auth TO %I;',
                current_user
            );
END
$roles$;

GRANT USAGE ON SCHEMA public TO todo_app, todo_auth;

-- yoyo notices no edited file, so the service keeps the checksum of each one it applied.
CREATE TABLE applied_migrations (
    id         text        NOT NULL,
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT applied_migrations_pkey PRIMARY KEY (id),
    CONSTRAINT applied_migrations_checksum_is_sha256 CHECK (checksum ~ '^[0-9a-f]{64}$')
);

COMMENT ON TABLE applied_migrations IS 'Which migration files were applied, and what they looked like.';

GRANT SELECT ON applied_migrations TO todo_app;
