-- Idempotency keys: what a user's create was answered, so that the same create sent again is not done again.
--
-- Locks: SHARE ROW EXCLUSIVE on users
--        For the foreign key: nobody writes to users meanwhile, reads go on.
-- Time:  a moment, whatever the tables hold
-- depends: 0008.end_sessions
-- formerly: 76906e80c0d3c227c600152a9088b9280ffe0d7758d36e8ce583712728008283
--           There the condition of the policy stood in a sub-select, which Citus refuses. It shows the same rows.

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

-- Enough to make the first answer again together with the same body: no title, which may have been deleted since.
CREATE TABLE idempotency_keys (
    user_id      uuid        NOT NULL,
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,
    task_id      uuid        NOT NULL,
    created_at   timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, key),
    CONSTRAINT idempotency_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE,
    CONSTRAINT idempotency_keys_key_length CHECK (char_length(key) BETWEEN 1 AND 255),
    CONSTRAINT idempotency_keys_key_is_visible_ascii CHECK (key !~ '[^\u0021-\u007E]'),
    CONSTRAINT idempotency_keys_request_hash_is_sha256 CHECK (octet_length(request_hash) = 32)
);

COMMENT ON TABLE idempotency_keys IS
'What a user''s create was answered, by the key that the client sent with it. Good for 24 hours.';
COMMENT ON COLUMN idempotency_keys.task_id IS 'The task that was created; it may be gone since.';
COMMENT ON COLUMN idempotency_keys.created_at IS 'When key and task were: the task''s own created_at.';

-- Leads to the few keys that each keyed create removes, however many are still good.
CREATE INDEX idempotency_keys_oldest_first ON idempotency_keys (user_id, created_at);

GRANT SELECT, DELETE, INSERT (user_id, key, request_hash, task_id, created_at) ON idempotency_keys TO todo_app;

ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_keys FORCE ROW LEVEL SECURITY;

-- Without a sub-select, which Citus refuses. With WHERE user_id = … beside it, it is evaluated once a statement too.
CREATE POLICY idempotency_keys_own ON idempotency_keys TO todo_app
USING (user_id = nullif(current_setting('app.user_id', true), '')::uuid)
WITH CHECK (user_id = nullif(current_setting('app.user_id', true), '')::uuid);
