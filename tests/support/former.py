"""What the version of the service before revisions sends: its statements, of whatever user.

They know nothing of turns, revisions and marks of deletions, and go on beside this version while machines
are updated one after the other.
"""

# tasks/create of that version; create_once did the same to these two tables.
CREATE = """
    WITH counted AS (
        INSERT INTO task_counts AS held (user_id, tasks)
        SELECT user_id, 1 FROM users WHERE user_id = %(user)s
        ON CONFLICT (user_id) DO UPDATE SET tasks = held.tasks + 1 WHERE held.tasks < 10000
        RETURNING user_id
    )
    INSERT INTO tasks (user_id, title) SELECT user_id, %(title)s FROM counted RETURNING id
"""
DELETE = """
    WITH held AS MATERIALIZED (
        SELECT user_id FROM task_counts WHERE user_id = %(user)s FOR UPDATE
    ),
    deleted AS (
        DELETE FROM tasks
        WHERE user_id = %(user)s AND id = %(task)s AND (SELECT count(*) FROM held) >= 0
        RETURNING user_id
    ),
    counted AS (
        UPDATE task_counts SET tasks = greatest(tasks - 1, 0)
        WHERE user_id = %(user)s AND user_id IN (SELECT deleted.user_id FROM deleted)
    )
    SELECT user_id FROM deleted
"""
UPDATE = """
    UPDATE tasks SET title = %(title)s, updated_at = now()
    WHERE user_id = %(user)s AND id = %(task)s RETURNING id
"""
LIST = """
    SELECT id, user_id, title, completed_at IS NOT NULL AS is_completed, completed_at, created_at, updated_at
    FROM tasks WHERE user_id = %(user)s ORDER BY created_at DESC, id DESC
"""
KEEP = """
    INSERT INTO idempotency_keys (user_id, key, request_hash, task_id, created_at)
    SELECT user_id, %(key)s, decode(%(hash)s, 'hex'), id, created_at FROM tasks
    WHERE user_id = %(user)s AND id = %(task)s
"""
