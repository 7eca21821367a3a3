-- Use up an invite, in the transaction that adds its account. If it is no longer good, this raises TD410, and no
-- statement that was sent after it runs.
--
-- Why here:   the user does not exist yet
-- Parameters: code_hash   SHA-256 of the invite, in hex
--             email       the address that signs up: trimmed, NFC, lower case
-- Returns:    nothing of interest
-- Index:      invites_pkey, inside the function
-- Locks:      the invite's row, until commit: of parallel sign-ups with one invite the others wait, and find it gone
SELECT public.use_invite(pg_catalog.decode(%(code_hash)s::text, 'hex'), %(email)s::text)
