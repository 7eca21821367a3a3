-- Find the account of an address, for login, where guesses are counted in a Redis.
--
-- Why here:   login needs the user before anyone is signed in. The function is the only way to read
--             a password hash, for one address at a time.
-- Parameters: email     trimmed, NFC, lower case
--             network   where the request comes from
-- Returns:    the account, and whether its user has signed in from the network within 90 days; or no row
-- Index:      users_email_key, sign_in_networks_pkey, inside the function
-- Locks:      none
SELECT
    user_id,
    password_hash,
    password_version,
    is_disabled,
    is_known_network
FROM public.find_account_from(%(email)s::text, %(network)s::cidr)
