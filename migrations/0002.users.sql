-- Accounts. Everything else belongs to one of them and leaves with it (ON DELETE CASCADE).
--
-- Locks: none on a table that was there before
-- Time:  a moment, whatever the tables hold
-- depends: 0001.roles

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

CREATE TABLE users (
    user_id       uuid        NOT NULL,
    email         text        NOT NULL,
    password_hash text        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_pkey PRIMARY KEY (user_id),
    CONSTRAINT users_email_length CHECK (char_length(email) BETWEEN 5 AND 254),
    CONSTRAINT users_email_plausible CHECK (email ~ '^[^@[:space:]]+@[^@[:space:]]+[.][^@[:space:]]+$'),
    CONSTRAINT users_password_hash_is_bcrypt CHECK (password_hash ~ '^\$2b\$[0-9]{2}\$[./A-Za-z0-9]{53}$')
);

COMMENT ON TABLE users IS 'Accounts. Everything else belongs to one of them and leaves with it.';

-- One account for an address, in whatever letter case. Carries find_credentials.
CREATE UNIQUE INDEX users_email_key ON users (lower(email));

GRANT SELECT (user_id, email, created_at), INSERT (user_id, email, password_hash) ON users TO todo_app;
GRANT SELECT (user_id, email, password_hash) ON users TO todo_auth;

ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;

-- The sub-select is evaluated once a statement, not once a row. After a transaction the setting is '', not null.
CREATE POLICY users_own ON users TO todo_app
USING (user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid))
WITH CHECK (user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid));

CREATE POLICY users_find_credentials ON users FOR SELECT TO todo_auth
USING (true);

CREATE FUNCTION find_credentials(wanted_email text)
RETURNS TABLE (user_id uuid, password_hash text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT u.user_id, u.password_hash
    FROM public.users AS u
    WHERE lower(u.email) = lower(wanted_email)
$$;

COMMENT ON FUNCTION find_credentials(text) IS
'Login has to find an account before anyone is signed in. This is the only way to a password hash.';

REVOKE ALL ON FUNCTION find_credentials(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_credentials(text) TO todo_app;

-- The new owner of a function must be allowed to create in its schema, for this moment only.
GRANT CREATE ON SCHEMA public TO todo_auth;
ALTER FUNCTION find_credentials(text) OWNER TO todo_auth;
REVOKE CREATE ON SCHEMA public FROM todo_auth;
