-- The tasks of the user that match the filters, highest priority first, from a position on.
--
-- Parameters: last_priority     of the previous page's last task; 4 for the first page
--             last_id           of the same task
--             page_size         how many tasks the page holds; null: all of them
--             is_completed      null, or what the tasks have to be
--             min_priority      null, or 1 to 3
--             due_from          null, or the first day
--             due_to            null, or the last day; a moment counts by its day in UTC
--             tag               null, or a tag in small letters, with ss for ß
--             capitals          letters beyond ASCII that count as letters of this tag
--             letters           as which ones, in the same order
--             q                 null, or a text that is in the title or the notes, letter case aside
-- Returns:    one row for each task, and one more than page_size when there is a next page
-- Index:      tasks_pkey, over all tasks of the user; they are sorted
-- Locks:      none
SELECT
    id,
    user_id,
    title,
    notes,
    due_date,
    due_at,
    priority,
    pg_catalog.array_to_string(tags, ',') AS tags,
    completed_at IS NOT NULL AS is_completed,
    completed_at,
    created_at,
    updated_at,
    revision
FROM (
    SELECT
        id,
        user_id,
        title,
        notes,
        due_date,
        due_at,
        priority,
        tags,
        completed_at,
        created_at,
        updated_at,
        revision
    FROM tasks
    WHERE user_id = %s
        AND (priority, id) < (%(last_priority)s::smallint, %(last_id)s::uuid)
        AND (%(is_completed)s::boolean IS NULL OR (completed_at IS NOT NULL) = %(is_completed)s::boolean)
        AND (%(min_priority)s::smallint IS NULL OR priority >= %(min_priority)s::smallint)
        AND (
            %(due_from)s::date IS NULL
            OR coalesce(due_date, (due_at AT TIME ZONE 'UTC')::date) >= %(due_from)s::date
        )
        AND (
            %(due_to)s::date IS NULL
            OR coalesce(due_date, (due_at AT TIME ZONE 'UTC')::date) <= %(due_to)s::date
        )
        AND (
            %(tag)s::text IS NULL
            OR pg_catalog.strpos(
                ',' || pg_catalog.replace(
                    pg_catalog.translate(
                        pg_catalog.lower(pg_catalog.array_to_string(tags, ',') COLLATE "C"),
                        %(capitals)s::text,
                        %(letters)s::text
                    ),
                    'ß',
                    'ss'
                ) || ',',
                ',' || %(tag)s::text || ','
            ) > 0
        )
        AND (
            %(q)s::text IS NULL
            OR pg_catalog.strpos(pg_catalog.lower(title), pg_catalog.lower(%(q)s::text)) > 0
            OR pg_catalog.strpos(pg_catalog.lower(notes), pg_catalog.lower(%(q)s::text)) > 0
        )
    ORDER BY priority DESC, id DESC
    LIMIT %(page_size)s::integer + 1
) AS found
ORDER BY priority DESC, id DESC
