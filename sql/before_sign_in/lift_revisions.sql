-- Lift the revisions of all users above all that clients can hold, and forget all deletions: each client that keeps a
-- copy starts over. After a restore from a backup clients may know revisions that the database has never had. All tasks
-- are counted and numbered again, each user's at the next request: a version without revisions that served beside this
-- one may have deleted as many as it added, which can't be seen by the number.
--
-- Why here:   an operator's command, run as todo_auth, which keeps what is forgotten; nobody is signed in
-- Parameters: by      how many revisions the lost time may have had for one user, at most
-- Returns:    users   how many users there are
-- Index:      none: every row is changed
-- Locks:      every row of task_counts, until commit: changes of tasks wait
WITH lifted AS (
    UPDATE task_counts
    SET
        numbered = NULL,
        revision = revision + %(by)s::bigint,
        forgotten_revision = revision + %(by)s::bigint
    RETURNING user_id
)

SELECT pg_catalog.count(lifted.user_id) AS users
FROM lifted
