-- Keep an invite.
--
-- Why here:   an operator's command, run as todo_auth; the user does not exist yet
-- Parameters: code_hash   SHA-256 of the invite, in hex
--             email       the only address that may use it, trimmed, NFC, lower case; or null
--             lifetime    seconds until it expires
-- Returns:    expires_at
-- Index:      none: it only adds a row
-- Locks:      none
INSERT INTO invites (code_hash, email, expires_at)
VALUES (
    pg_catalog.decode(%(code_hash)s::text, 'hex'),
    %(email)s::text,
    now() + pg_catalog.make_interval(secs => %(lifetime)s::double precision)
)
RETURNING expires_at::text AS expires_at
