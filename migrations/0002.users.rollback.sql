DROP FUNCTION find_credentials(text);
DROP TABLE users;
