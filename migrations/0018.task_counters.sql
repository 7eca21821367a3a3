-- Users get a counter of revisions, and a count of bytes.
--
-- Locks: ACCESS EXCLUSIVE on task_counts
--        For columns, constraints and the policy nobody reads or writes it meanwhile.
-- Time:  a moment, whatever the tables hold
-- depends: 0017.task_fields

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

ALTER TABLE task_counts
-- as tasks
-- squawk-ignore prefer-bigint-over-int
ADD COLUMN numbered integer,
ADD COLUMN text_bytes bigint NOT NULL DEFAULT 0,
ADD COLUMN revision bigint NOT NULL DEFAULT 0,
ADD COLUMN forgotten_revision bigint NOT NULL DEFAULT 0,
-- tasks/delete keeps it far below two billion
-- squawk-ignore prefer-bigint-over-int
ADD COLUMN deletions integer NOT NULL DEFAULT 0;

ALTER TABLE task_counts ADD CONSTRAINT task_counts_text_bytes_not_negative
CHECK (text_bytes >= 0) NOT VALID;
ALTER TABLE task_counts ADD CONSTRAINT task_counts_deletions_not_negative
CHECK (deletions >= 0) NOT VALID;
ALTER TABLE task_counts ADD CONSTRAINT task_counts_forgotten_revision_is_past
CHECK (forgotten_revision BETWEEN 0 AND revision) NOT VALID;

COMMENT ON TABLE task_counts IS
'How many tasks a user holds and how much text, for the quotas, and the latest revision.';
COMMENT ON COLUMN task_counts.numbered IS
'How many of the tasks have a revision. Null, or not as many as tasks: they have to be counted and numbered.';
COMMENT ON COLUMN task_counts.text_bytes IS 'Of titles, notes and tags, in UTF-8.';
COMMENT ON COLUMN task_counts.revision IS 'Of the user''s latest change.';
COMMENT ON COLUMN task_counts.forgotten_revision IS
'What was deleted up to this revision is no longer known in full: a client that asks from before it starts over.';
COMMENT ON COLUMN task_counts.deletions IS 'How many rows deleted_tasks has of the user.';

GRANT INSERT (numbered),
UPDATE (numbered, text_bytes, revision, forgotten_revision, deletions) ON task_counts TO todo_app;

-- todo_auth removes deletions that are older than 30 days, and says so in the user's row of task_counts, which it can
-- find by the policy that lets an operator see how much each user holds. After a restore the operator lifts revisions,
-- and has all tasks counted again.
GRANT SELECT (text_bytes, revision, forgotten_revision, deletions),
UPDATE (numbered, revision, forgotten_revision, deletions) ON task_counts TO todo_auth;

CREATE POLICY task_counts_sweep ON task_counts FOR UPDATE TO todo_auth
USING (TRUE);
