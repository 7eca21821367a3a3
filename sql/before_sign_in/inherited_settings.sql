-- The settings that a connection comes with, and that are not set for each transaction, or that cost something to set.
-- Nothing but calls of one function: this runs before pin_settings, whatever the search_path is.
--
-- Why here:   an operator's check looks at them; nobody is signed in
-- Parameters: none
-- Returns:    isolation             default_transaction_isolation
--             is_read_only          default_transaction_read_only
--             fsync                 whether writes reach the disk at all
--             full_page_writes      whether a page that was half written is repaired
--             autovacuum            whether dead rows are removed
--             track_counts          whether autovacuum knows where
--             connections           max_connections
--             for_superusers        how many of these are kept for superusers
--             for_reserved          and for members of pg_use_reserved_connections; null before PostgreSQL 16
--             logged                log_statement
--             logged_if_slow        log_min_duration_statement
--             logged_if_sampled     log_min_duration_sample
--             logged_transactions   log_transaction_sample_rate
--             logged_plans          auto_explain.log_min_duration; null without auto_explain
--             parameters            log_parameter_max_length
--             parameters_of_errors  log_parameter_max_length_on_error
--             parameters_of_plans   auto_explain.log_parameter_max_length
-- Index:      none
-- Locks:      none
SELECT
    pg_catalog.current_setting('default_transaction_isolation') AS isolation,
    pg_catalog.current_setting('default_transaction_read_only') AS is_read_only,
    pg_catalog.current_setting('fsync') AS fsync,
    pg_catalog.current_setting('full_page_writes') AS full_page_writes,
    pg_catalog.current_setting('autovacuum') AS autovacuum,
    pg_catalog.current_setting('track_counts') AS track_counts,
    pg_catalog.current_setting('max_connections') AS connections,
    pg_catalog.current_setting('superuser_reserved_connections') AS for_superusers,
    pg_catalog.current_setting('reserved_connections', TRUE) AS for_reserved,
    pg_catalog.current_setting('log_statement') AS logged,
    pg_catalog.current_setting('log_min_duration_statement') AS logged_if_slow,
    pg_catalog.current_setting('log_min_duration_sample') AS logged_if_sampled,
    pg_catalog.current_setting('log_transaction_sample_rate') AS logged_transactions,
    pg_catalog.current_setting('auto_explain.log_min_duration', TRUE) AS logged_plans,
    pg_catalog.current_setting('log_parameter_max_length') AS parameters,
    pg_catalog.current_setting('log_parameter_max_length_on_error') AS parameters_of_errors,
    pg_catalog.current_setting('auto_explain.log_parameter_max_length', TRUE) AS parameters_of_plans
