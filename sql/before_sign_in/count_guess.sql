-- Find the account of an address, for login, and count a guess at its password: in the network's own counter if the
-- account was signed in to from there, otherwise in the one of the account. The guess counts before anybody looks at
-- the password; take_back_guess undoes that when it was right. A full counter counts nothing.
--
-- Why here:   login needs the user before anyone is signed in, and an address without an account has a counter too
-- Parameters: email       trimmed, NFC, lower case; null: only count
--             network     where the request comes from
--             elsewhere   the key of the account's counter
--             here        the key of the network's own counter for the account
--             most        how many guesses a counter takes in a window
--             window      seconds
--             doubt       seconds after which a password is no longer being looked at
-- Returns:    key                of the counter
--             counted_at         when the guess was counted, which names it; null if the counter is full
--             user_id            of the account; this and the others are null if there is none
--             password_hash      bcrypt
--             password_version   grows with each new password
--             is_disabled        whether the operator has disabled it
-- Index:      users_email_key, sign_in_networks_pkey, inside the function; rate_limits_pkey
-- Locks:      the counter's row, until commit: guesses at once wait here, and see each other
WITH account AS MATERIALIZED (
    SELECT
        user_id,
        password_hash,
        password_version,
        is_disabled,
        is_known_network
    FROM public.find_account_from(%(email)s::text, %(network)s::cidr)
),

chosen AS MATERIALIZED (
    SELECT
        CASE
            WHEN EXISTS (SELECT FROM account WHERE is_known_network) THEN %(here)s::text
            ELSE %(elsewhere)s::text
        END AS key,
        clock_timestamp() AS began
),

counted AS (
    INSERT INTO rate_limits AS counter (key, hits, in_flight, expires_at)
    SELECT
        key,
        ARRAY[began],
        ARRAY[began],
        began + pg_catalog.make_interval(secs => %(window)s::double precision)
    FROM chosen
    -- From here on the row is the latest, whatever the statement saw when it began.
    ON CONFLICT (key) DO UPDATE
        SET
            -- No two guesses of a counter have the same time.
            hits = pg_catalog.array_append(
                ARRAY(
                    SELECT hit
                    FROM pg_catalog.unnest(counter.hits) AS hit
                    WHERE hit > clock_timestamp() - pg_catalog.make_interval(secs => %(window)s::double precision)
                ),
                (
                    SELECT greatest(excluded.hits[1], pg_catalog.max(hit) + interval '1 microsecond')
                    FROM pg_catalog.unnest(counter.hits) AS hit
                )
            ),
            in_flight = pg_catalog.array_append(
                ARRAY(
                    SELECT hit
                    FROM pg_catalog.unnest(counter.in_flight) AS hit
                    WHERE hit > clock_timestamp() - pg_catalog.make_interval(secs => %(doubt)s::double precision)
                ),
                (
                    SELECT greatest(excluded.hits[1], pg_catalog.max(hit) + interval '1 microsecond')
                    FROM pg_catalog.unnest(counter.hits) AS hit
                )
            ),
            expires_at = excluded.expires_at
        WHERE %(most)s::bigint > (
            SELECT pg_catalog.count(*)
            FROM pg_catalog.unnest(counter.hits) AS hit
            WHERE hit > clock_timestamp() - pg_catalog.make_interval(secs => %(window)s::double precision)
        )
    RETURNING counter.hits[pg_catalog.cardinality(counter.hits)] AS counted_at
)

SELECT
    chosen.key,
    counted.counted_at,
    account.user_id,
    account.password_hash,
    account.password_version,
    account.is_disabled
FROM chosen
LEFT JOIN counted ON TRUE
LEFT JOIN account ON TRUE
