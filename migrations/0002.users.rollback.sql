SET LOCAL lock_timeout = '5s';

DROP FUNCTION find_credentials(text);
DROP TABLE users;
