-- How large the service's tables are, and how far autovacuum is behind. Rows are the planner's estimates: row security
-- hides the rows themselves, and counting would read everything. Partitions count for the table that they are of. On a
-- Citus coordinator the workers are asked for the sizes of what is distributed; their rows are not known here.
--
-- Why here:   an operator's check looks at it; nobody is signed in
-- Parameters: names   the names of what the migrations and yoyo make, as the text of an array
-- Returns:    name           of the table
--             bytes          with its indexes
--             index_bytes    of these the indexes
--             rows           an estimate; null: not known
--             dead_rows      an estimate; null: not known
--             transactions   how many ago its oldest row may be from: past two thousand millions the server stops
-- Index:      none: catalogues
-- Locks:      ACCESS SHARE on each table, for its size
WITH RECURSIVE given AS (
    SELECT %(names)s::text[] AS names
),

made AS (
    SELECT
        one.oid,
        one.relname::text AS name
    FROM pg_catalog.pg_class AS one
    INNER JOIN given ON one.relname = ANY(given.names)
    WHERE one.relnamespace = 'public'::regnamespace::oid
        AND one.relkind IN ('r', 'p')

    UNION ALL

    SELECT
        part.inhrelid AS oid,
        made.name
    FROM made
    INNER JOIN pg_catalog.pg_inherits AS part ON made.oid = part.inhparent
),

asked AS (
    -- As a text that is run only on Citus: elsewhere there is neither the function nor the table, and a statement that
    -- names them is refused. Of the functions that run a text this is the one that every server has.
    SELECT
        made.oid,
        'SELECT pg_catalog.array_to_tsvector(ARRAY[pg_catalog.citus_total_relation_size(logicalrelid)::text])'
        || ' FROM pg_catalog.pg_dist_partition WHERE logicalrelid = ' || made.oid::text
        || '::pg_catalog.oid::pg_catalog.regclass' AS question
    FROM made
    WHERE pg_catalog.to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL
),

answered AS (
    SELECT
        asked.oid,
        said.word::bigint AS bytes
    FROM asked
    CROSS JOIN LATERAL pg_catalog.ts_stat(asked.question) AS said
)

SELECT
    made.name,
    pg_catalog.sum(coalesce(answered.bytes, pg_catalog.pg_total_relation_size(one.oid::regclass)))::bigint AS bytes,
    pg_catalog.sum(pg_catalog.pg_indexes_size(one.oid::regclass))::bigint AS index_bytes,
    (pg_catalog.sum(nullif(one.reltuples, -1::real)) FILTER (WHERE one.relkind = 'r'))::bigint AS rows,
    pg_catalog.sum(pg_catalog.pg_stat_get_dead_tuples(one.oid))::bigint AS dead_rows,
    pg_catalog.max(pg_catalog.age(nullif(one.relfrozenxid, '0'::xid)))::bigint AS transactions
FROM made
INNER JOIN pg_catalog.pg_class AS one ON made.oid = one.oid
LEFT JOIN answered ON made.oid = answered.oid
GROUP BY made.name
ORDER BY bytes DESC, made.name ASC
