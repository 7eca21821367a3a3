SET LOCAL lock_timeout = '5s';

DROP TABLE task_counts;
DROP TABLE tasks;
