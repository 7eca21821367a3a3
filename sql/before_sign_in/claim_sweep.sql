-- Take the sweep of this hour, if nobody has: of all processes on all machines one gets it. A clock that was set back
-- does not keep everybody waiting. Another process may have taken the sweep a moment after this statement read the
-- clock, while it waited for the row: hence the minute.
--
-- Why here:   the housekeeping runs it; nobody is signed in
-- Parameters: none
-- Returns:    one row if the sweep is the caller's, otherwise none
-- Index:      housekeeping_pkey: one row
-- Locks:      that row, until commit
INSERT INTO housekeeping AS latest (is_only_row, swept_at)
VALUES (TRUE, clock_timestamp())
ON CONFLICT (is_only_row) DO UPDATE
    SET swept_at = excluded.swept_at
    WHERE latest.swept_at NOT BETWEEN excluded.swept_at - interval '1 hour' AND excluded.swept_at + interval '1 minute'
RETURNING TRUE AS claimed
