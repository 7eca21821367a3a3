-- Forget the networks of the user that were not signed in from for the longest time, so that a new one fits.
-- Only after users/take_turn: otherwise two logins could both find room for one.
--
-- Parameters: network   the one that is signed in from now; it stays
--             kept      how many others stay
-- Returns:    one row for each network that was forgotten
-- Index:      sign_in_networks_pkey (a user has at most 100 networks, which are sorted)
-- Locks:      the removed rows, until commit
DELETE FROM sign_in_networks
WHERE user_id = %s
    AND network <> %(network)s::cidr
    AND network NOT IN (
        SELECT network
        FROM sign_in_networks
        WHERE user_id = %s
            AND network <> %(network)s::cidr
        ORDER BY seen_on DESC, network ASC
        LIMIT %(kept)s::integer
    )
RETURNING user_id
