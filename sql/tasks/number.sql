-- Count the user's tasks and their text, and give those that have no revision the next ones, oldest first: tasks that
-- were there before there were revisions, or that an older version of the service or a DBA added. Only after
-- users/take_turn and tasks/open_counter. A client that keeps a copy has to start over, since tasks may have been
-- deleted too: one revision is left out, so that what is forgotten is later than all that clients can have.
--
-- Parameters: most      how many tasks to number at most; the rest is for another transaction
-- Returns:    is_done   whether no task was left. No row: there was nothing to do, or there is no counter
-- Index:      task_counts_pkey; tasks_pkey, over all tasks of the user
-- Locks:      the numbered tasks, until commit
WITH all_unnumbered AS MATERIALIZED (
    SELECT
        id,
        created_at
    FROM tasks
    WHERE user_id = %s
        AND revision = 0
),

unnumbered AS MATERIALIZED (
    SELECT
        id,
        pg_catalog.row_number() OVER (ORDER BY created_at, id) AS place
    FROM all_unnumbered
    ORDER BY created_at, id
    LIMIT %(most)s::integer
),

found AS MATERIALIZED (
    SELECT
        pg_catalog.count(*)::integer AS number,
        pg_catalog.count(*) < %(most)s::integer AS is_done
    FROM unnumbered
),

held AS MATERIALIZED (
    SELECT
        pg_catalog.count(*)::integer AS tasks,
        coalesce(
            pg_catalog.sum(
                pg_catalog.octet_length(title)
                + coalesce(pg_catalog.octet_length(notes), 0)
                + pg_catalog.octet_length(pg_catalog.array_to_string(tags, ''))
            ),
            0::bigint
        ) AS text_bytes
    FROM tasks
    WHERE user_id = %s
        AND (SELECT found.is_done FROM found)
),

numbered_now AS (
    UPDATE tasks
    SET revision = before.revision + least(before.revision, 1::bigint) + unnumbered.place
    FROM unnumbered
    CROSS JOIN task_counts AS before
    WHERE tasks.user_id = %s
        AND before.user_id = %s
        AND tasks.id = unnumbered.id
)

UPDATE task_counts
SET
    forgotten_revision = task_counts.revision + least(task_counts.revision, 1::bigint),
    revision = task_counts.revision + least(task_counts.revision, 1::bigint) + found.number,
    tasks = CASE WHEN found.is_done THEN held.tasks ELSE task_counts.tasks END,
    numbered = CASE WHEN found.is_done THEN held.tasks END,
    text_bytes = CASE WHEN found.is_done THEN held.text_bytes ELSE task_counts.text_bytes END
FROM found
CROSS JOIN held
WHERE task_counts.user_id = %s
    AND (task_counts.numbered IS DISTINCT FROM task_counts.tasks OR found.number > 0)
RETURNING found.is_done
