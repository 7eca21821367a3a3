-- What the guess at the user's own current password counts for.
--
-- Parameters: network   where the request comes from
-- Returns:    email              of the account
--             is_known_network   whether the user has signed in from the network within 90 days
-- Index:      users_pkey, sign_in_networks_pkey
-- Locks:      none
WITH known AS (
    SELECT count(*) > 0 AS is_known_network
    FROM sign_in_networks
    WHERE user_id = %s
        AND network = %(network)s::cidr
        AND seen_on >= (now() AT TIME ZONE 'UTC')::date - 90
)

SELECT
    email,
    (SELECT known.is_known_network FROM known) AS is_known_network
FROM users
WHERE user_id = %s
