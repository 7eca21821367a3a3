-- begin_request also says how times are written: in UTC and ISO 8601, whatever the database's own settings are.
-- The service takes them as text, which costs it a tenth of what a value in between costs.
--
-- Locks: none on a table that was there before
-- Time:  a moment, whatever the tables hold
-- depends: 0006.rate_limits

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

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
