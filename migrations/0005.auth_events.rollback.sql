SET LOCAL lock_timeout = '5s';

DROP FUNCTION auth_event_room(inet);
DROP TABLE auth_events;
