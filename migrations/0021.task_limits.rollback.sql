-- Nothing is lost: new rows are held to the limits as before.
--
-- Locks: ACCESS EXCLUSIVE on task_counts, tasks
--        Each constraint is dropped and added again: nobody reads or writes them meanwhile.
-- Time:  a moment, whatever the tables hold
-- squawk-ignore-file ban-drop-constraint

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

ALTER TABLE task_counts
DROP CONSTRAINT task_counts_text_bytes_not_negative,
DROP CONSTRAINT task_counts_deletions_not_negative,
DROP CONSTRAINT task_counts_forgotten_revision_is_past;
ALTER TABLE task_counts ADD CONSTRAINT task_counts_text_bytes_not_negative
CHECK (text_bytes >= 0) NOT VALID;
ALTER TABLE task_counts ADD CONSTRAINT task_counts_deletions_not_negative
CHECK (deletions >= 0) NOT VALID;
ALTER TABLE task_counts ADD CONSTRAINT task_counts_forgotten_revision_is_past
CHECK (forgotten_revision BETWEEN 0 AND revision) NOT VALID;

ALTER TABLE tasks
DROP CONSTRAINT tasks_notes_length,
DROP CONSTRAINT tasks_notes_have_no_control_characters,
DROP CONSTRAINT tasks_due_date_range,
DROP CONSTRAINT tasks_due_at_range,
DROP CONSTRAINT tasks_due_once,
DROP CONSTRAINT tasks_priority_range,
DROP CONSTRAINT tasks_tags_number,
DROP CONSTRAINT tasks_tags_form,
DROP CONSTRAINT tasks_revision_not_negative;
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
