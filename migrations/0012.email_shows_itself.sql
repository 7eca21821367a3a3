-- A new account's address has no character that does not show: zero-width ones, fillers, marks of direction,
-- variation selectors, tags (INVISIBLE in todo_api/web/text.py). Ten accounts could look like ann@example.com.
-- A policy and no CHECK: a CHECK, NOT VALID too, is asked at each change of a row, so the accounts from before
-- could not change their passwords. RESTRICTIVE: it comes on top of users_own.
--
-- Locks: ACCESS EXCLUSIVE on users
-- Time:  a moment, whatever the tables hold
-- depends: 0011.housekeeping

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

CREATE POLICY users_email_shows_itself ON users
AS RESTRICTIVE
FOR INSERT
TO todo_app
WITH CHECK (
    email !~ (
        '[\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180F\u200B-\u200F\u202A-\u202E\u2060-\u206F'
        || '\u2800\u3164\uFE00-\uFE0F\uFEFF\uFFA0\uFFF0-\uFFFB\U00013430-\U0001343F\U00016FE4'
        || '\U0001BCA0-\U0001BCA3\U0001D159\U0001D173-\U0001D17A\U000E0000-\U000E0FFF]'
    )
);
