-- The limits of the fields of tasks hold for all rows.
--
-- Locks: SHARE UPDATE EXCLUSIVE on task_counts, tasks
--        Only vacuum and other changes of the schema wait.
-- Time:  as long as it takes to read all tasks once
-- depends: 0020.answers_of_keys

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '30min';

ALTER TABLE tasks
VALIDATE CONSTRAINT tasks_notes_length,
VALIDATE CONSTRAINT tasks_notes_have_no_control_characters,
VALIDATE CONSTRAINT tasks_due_date_range,
VALIDATE CONSTRAINT tasks_due_at_range,
VALIDATE CONSTRAINT tasks_due_once,
VALIDATE CONSTRAINT tasks_priority_range,
VALIDATE CONSTRAINT tasks_tags_number,
VALIDATE CONSTRAINT tasks_tags_form,
VALIDATE CONSTRAINT tasks_revision_not_negative;
ALTER TABLE task_counts
VALIDATE CONSTRAINT task_counts_text_bytes_not_negative,
VALIDATE CONSTRAINT task_counts_deletions_not_negative,
VALIDATE CONSTRAINT task_counts_forgotten_revision_is_past;
