-- Keep a reset code of a user, in the place of the former one. Its time becomes text outside RETURNING, where Citus
-- takes only what depends on no setting.
--
-- Why here:   an operator's command, run as todo_auth, for the account of somebody else
-- Parameters: user_id     whose
--             code_hash   SHA-256 of the code, in hex
--             lifetime    seconds until it expires
-- Returns:    expires_at
-- Index:      reset_codes_pkey
-- Locks:      the code's row, and the user's row against deletion, until commit
WITH made AS (
    INSERT INTO reset_codes (user_id, code_hash, expires_at)
    VALUES (
        %(user_id)s::uuid,
        pg_catalog.decode(%(code_hash)s::text, 'hex'),
        now() + pg_catalog.make_interval(secs => %(lifetime)s::double precision)
    )
    ON CONFLICT (user_id) DO UPDATE
        SET
            code_hash = excluded.code_hash,
            expires_at = excluded.expires_at
    RETURNING expires_at
)

SELECT expires_at::text AS expires_at
FROM made
