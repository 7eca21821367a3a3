-- Remember that the user signs in from a network. Writes at most once a day for each network.
--
-- Parameters: network   an IPv4 address or an IPv6 /64
-- Returns:    one row, or none if it was written today
-- Index:      users_pkey, sign_in_networks_pkey
-- Locks:      the user's row against deletion (foreign key) and the network's row, until commit, if it writes
WITH seen_today AS (
    SELECT user_id
    FROM sign_in_networks
    WHERE user_id = %s
        AND network = %(network)s::cidr
        AND seen_on >= (now() AT TIME ZONE 'UTC')::date
)

INSERT INTO sign_in_networks (user_id, network, seen_on)
SELECT
    user_id,
    %(network)s::cidr,
    (now() AT TIME ZONE 'UTC')::date
FROM users
WHERE user_id = %s
    AND NOT EXISTS (SELECT FROM seen_today)
ON CONFLICT (user_id, network) DO UPDATE
    SET seen_on = excluded.seen_on
RETURNING user_id
