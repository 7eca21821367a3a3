SET LOCAL lock_timeout = '5s';

DROP FUNCTION begin_session(uuid, uuid);
DROP FUNCTION begin_request(uuid);
DROP TABLE sessions;
