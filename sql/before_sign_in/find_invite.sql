-- Whether an invite is good, for an address.
--
-- Why here:   the user does not exist yet. The function is the only way to an invite.
-- Parameters: code_hash   SHA-256 of the invite, in hex
--             email       the address that signs up: trimmed, NFC, lower case
-- Returns:    is_good
-- Index:      invites_pkey, inside the function
-- Locks:      none
SELECT public.find_invite(pg_catalog.decode(%(code_hash)s::text, 'hex'), %(email)s::text) AS is_good
