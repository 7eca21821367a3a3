-- Guesses at one account: which networks a user has signed in from, and which counted guesses are still looked at.
--
-- A network that a user knows has an allowance of wrong passwords of its own, so that strangers can't use up the one of
-- the user's usual place. Login asks for it in the round trip that finds the account.
--
-- Locks: ACCESS EXCLUSIVE on rate_limits; SHARE ROW EXCLUSIVE on users
--        For the column nobody reads or writes counters, for the foreign key nobody writes to users; both a moment.
-- Time:  a moment, whatever the tables hold
-- depends: 0015.codes

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

ALTER TABLE rate_limits ADD COLUMN in_flight timestamptz[] NOT NULL DEFAULT '{}';

COMMENT ON COLUMN rate_limits.in_flight IS
'Of guesses at an account: those of hits whose password is still being looked at, and may turn out to be right.';

CREATE TABLE sign_in_networks (
    user_id uuid NOT NULL,
    network cidr NOT NULL,
    seen_on date NOT NULL,
    CONSTRAINT sign_in_networks_pkey PRIMARY KEY (user_id, network),
    CONSTRAINT sign_in_networks_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE
);

COMMENT ON TABLE sign_in_networks IS
'The networks that a user has signed in from: the last 100, and none for longer than 90 days.';
COMMENT ON COLUMN sign_in_networks.network IS 'An IPv4 address, or the /64 of an IPv6 address.';
COMMENT ON COLUMN sign_in_networks.seen_on IS 'The day of the latest sign-in from there, in UTC.';

CREATE INDEX sign_in_networks_by_day ON sign_in_networks (seen_on);

GRANT SELECT, DELETE, INSERT (user_id, network, seen_on), UPDATE (seen_on) ON sign_in_networks TO todo_app;
GRANT SELECT, DELETE ON sign_in_networks TO todo_auth;

ALTER TABLE sign_in_networks ENABLE ROW LEVEL SECURITY;
ALTER TABLE sign_in_networks FORCE ROW LEVEL SECURITY;

CREATE POLICY sign_in_networks_own ON sign_in_networks TO todo_app
USING (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid)
WITH CHECK (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid);

CREATE POLICY sign_in_networks_find ON sign_in_networks FOR SELECT TO todo_auth
USING (TRUE);

CREATE POLICY sign_in_networks_sweep ON sign_in_networks FOR DELETE TO todo_auth
USING (seen_on < (now() AT TIME ZONE 'UTC')::date - 90);

-- Login has to find an account before anyone is signed in: its password, and whether it was signed in to from a
-- network. Beside own_password this is the only way to a password hash. It replaces find_credentials, which the version
-- before this one still calls. In two steps: Citus looks for the network on one worker then. Without an account the
-- second step looks for that of nobody, so that it takes as long.
CREATE FUNCTION find_account_from(wanted_email text, from_network cidr)
RETURNS TABLE (
    user_id uuid, password_hash text, password_version bigint, is_disabled boolean, is_known_network boolean
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    today CONSTANT date := (now() AT TIME ZONE 'UTC')::date;
    of_user uuid;
BEGIN
    SELECT u.user_id, u.password_hash, u.password_version, u.disabled_at IS NOT NULL
    INTO user_id, password_hash, password_version, is_disabled
    FROM public.users AS u
    WHERE lower(u.email) = lower(wanted_email);
    of_user := coalesce(user_id, gen_random_uuid());
    SELECT count(*) > 0
    INTO is_known_network
    FROM public.sign_in_networks AS s
    WHERE s.user_id = of_user
        AND s.network = from_network
        AND s.seen_on >= today - 90;
    IF of_user = user_id THEN
        RETURN NEXT;
    END IF;
END
$$;

COMMENT ON FUNCTION find_account_from(text, cidr) IS
'Login has to find an account before anyone is signed in, and whether the network is one that its user knows.';

-- As the functions of 0011.housekeeping. A network has many users: so by user too.
CREATE FUNCTION sweep_sign_in_networks(most integer)
RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    border   date;
    of_users uuid[];
    gone     cidr[];
    removed  integer;
BEGIN
    PERFORM set_config('lock_timeout', '200ms', true), set_config('plan_cache_mode', 'force_custom_plan', true);
    SELECT max(oldest.seen_on), array_agg(oldest.user_id), array_agg(oldest.network) INTO border, of_users, gone
    FROM (
        SELECT s.user_id, s.network, s.seen_on
        FROM public.sign_in_networks AS s
        WHERE s.seen_on < (now() AT TIME ZONE 'UTC')::date - 90
        ORDER BY s.seen_on
        LIMIT most
    ) AS oldest;
    DELETE FROM public.sign_in_networks
    WHERE seen_on <= border AND user_id = ANY (of_users) AND network = ANY (gone);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;

COMMENT ON FUNCTION sweep_sign_in_networks(integer) IS
'Removes so many of the networks that no sign-in came from for 90 days, oldest first; returns how many.';

REVOKE ALL ON FUNCTION find_account_from(text, cidr), sweep_sign_in_networks(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_account_from(text, cidr), sweep_sign_in_networks(integer) TO todo_app;
GRANT CREATE ON SCHEMA public TO todo_auth;
ALTER FUNCTION find_account_from(text, cidr) OWNER TO todo_auth;
ALTER FUNCTION sweep_sign_in_networks(integer) OWNER TO todo_auth;
REVOKE CREATE ON SCHEMA public FROM todo_auth;
