-- Tasks get notes, a due date, a priority, tags and a revision.
--
-- With the three files that follow: every change of a user's tasks takes the user's turn, and the next revision from
-- the user's row of task_counts. A deleted task leaves its id and the revision of the deletion, for 30 days. So a
-- client can ask for all that changed after a revision that it has seen.
--
-- Each of the four locks one table that requests use. A file that locked two would wait for one while requests wait
-- for the other, and there is no order of locks that keeps it from a deadlock with them (README.md).
--
-- Tasks that were there before have revision 0, and their users' numbered is null: the user's next request counts and
-- numbers them (tasks/number). So nothing has to be filled in here, nor after it. A version of the service that knows
-- nothing of revisions goes on working beside the new one. When it adds or deletes tasks, tasks and numbered differ,
-- and the user's tasks are counted and numbered again. What it changes keeps its revision.
--
-- Locks: ACCESS EXCLUSIVE on tasks
--        For columns and constraints nobody reads or writes it meanwhile.
-- Time:  a moment, whatever the tables hold
-- depends: 0016.sign_in_networks

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

ALTER TABLE tasks
ADD COLUMN notes text,
ADD COLUMN due_date date,
ADD COLUMN due_at timestamptz,
-- 0 to 3
-- squawk-ignore prefer-bigint-over-smallint
ADD COLUMN priority smallint NOT NULL DEFAULT 0,
ADD COLUMN tags text[] NOT NULL DEFAULT '{}',
ADD COLUMN revision bigint NOT NULL DEFAULT 0;

ALTER TABLE tasks ADD CONSTRAINT tasks_notes_length
CHECK (char_length(notes) BETWEEN 1 AND 4000) NOT VALID;
ALTER TABLE tasks ADD CONSTRAINT tasks_notes_have_no_control_characters
CHECK (notes !~ '[\u0001-\u0008\u000B-\u001F\u007F-\u009F]') NOT VALID;
ALTER TABLE tasks ADD CONSTRAINT tasks_due_date_range
CHECK (due_date BETWEEN '1970-01-01' AND '9999-12-31') NOT VALID;
ALTER TABLE tasks ADD CONSTRAINT tasks_due_at_range
CHECK (due_at >= '1970-01-01 00:00:00+00' AND due_at < '10000-01-01 00:00:00+00') NOT VALID;
ALTER TABLE tasks ADD CONSTRAINT tasks_due_once
CHECK (due_date IS NULL OR due_at IS NULL) NOT VALID;
ALTER TABLE tasks ADD CONSTRAINT tasks_priority_range
CHECK (priority BETWEEN 0 AND 3) NOT VALID;
ALTER TABLE tasks ADD CONSTRAINT tasks_tags_number
CHECK (cardinality(tags) <= 20) NOT VALID;
-- With a comma on both sides of each: none is empty, begins or ends with a space, has 51 characters or a control
-- character. One with a comma of its own would be two when they are taken apart again, and a null none.
ALTER TABLE tasks ADD CONSTRAINT tasks_tags_form
CHECK (
    tags = '{}'
    OR (
        ',' || array_to_string(tags, ',') || ',' !~ ',,|, | ,|[^,]{51}|[\u0001-\u001F\u007F-\u009F]'
        AND string_to_array(array_to_string(tags, ','), ',') = tags
    )
) NOT VALID;
ALTER TABLE tasks ADD CONSTRAINT tasks_revision_not_negative
CHECK (revision >= 0) NOT VALID;

COMMENT ON COLUMN tasks.revision IS 'Of the latest change. 0: not numbered yet.';
COMMENT ON COLUMN tasks.due_date IS 'A day of the calendar, in no time zone.';

GRANT INSERT (id, notes, due_date, due_at, priority, tags, revision),
UPDATE (notes, due_date, due_at, priority, tags, revision) ON tasks TO todo_app;
