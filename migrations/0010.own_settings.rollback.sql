-- Nothing is lost. The service of this version counts on some settings of the database as they are by default.
--
-- Locks: none on a table that was there before
-- Time:  a moment, whatever the tables hold

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

CREATE OR REPLACE FUNCTION begin_session(acting_user uuid, acting_session uuid)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM begin_request(acting_user);
    PERFORM FROM sessions
    WHERE user_id = acting_user AND id = acting_session AND expires_at > now();
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the session has ended' USING ERRCODE = 'TD401';
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION begin_request(acting_user uuid)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM
        set_config('role', 'todo_app', true),
        set_config('app.user_id', coalesce(acting_user::text, ''), true),
        set_config('statement_timeout', '5s', true),
        set_config('lock_timeout', '2s', true),
        set_config('idle_in_transaction_session_timeout', '10s', true),
        set_config('random_page_cost', '1.1', true),
        set_config('timezone', 'UTC', true),
        set_config('datestyle', 'ISO', true);
END
$$;
