-- Split sessions, tasks, task_counts, deleted_tasks, idempotency_keys, batch_results and sign_in_networks into 16 hash
-- partitions by user_id, on plain PostgreSQL.
-- Not a statement of the service: a DBA runs it, as the owner of the tables or a superuser, after `todo-api migrate`,
-- and again after a migration that adds a table of users:
--
--     psql "${MIGRATE_URL:-$DATABASE_URL}" -v ON_ERROR_STOP=1 -f sql/partition.sql
--
-- When:     vacuum, index builds or backups of tasks take too long in one piece. No single statement gets faster;
--           SCALING.md beside this file has the measurements.
-- Locks:    ACCESS EXCLUSIVE on the seven tables and users until the end; meanwhile requests are answered 503.
--           It gives up if it can't get the locks within 5 s, and can be run again.
-- How long: every row and index is written again: 7 s for a million tasks on a small machine. It needs as much
--           disk space as the tables have already.
-- Safe:     one transaction: all or nothing. A table that is partitioned already is not changed.
-- Back:     the same file with 0 in place of 16 below.
--
-- Everything is copied from the catalogue: columns, constraints and indexes with their names, grants, policies,
-- forced row security. The partitions have row security too and no grants, so they can only be used through the
-- table. The service needs no restart. Later migrations change the tables as before, and a rollback drops them
-- with their partitions.

BEGIN;

SET LOCAL lock_timeout = '5s';
SELECT set_config('todo.partitions', '16', FALSE);

-- If row security would hide rows, the copy fails instead of leaving them out.
SET LOCAL row_security = off;

LOCK TABLE users, sessions, tasks, task_counts, deleted_tasks, idempotency_keys, batch_results, sign_in_networks
IN ACCESS EXCLUSIVE MODE;

-- Foreign keys are checked as the owner. The lock keeps others out of users until this is undone, below.
ALTER TABLE users NO FORCE ROW LEVEL SECURITY;

DO $partition$
DECLARE
    wanted    CONSTANT integer := current_setting('todo.partitions');
    kept      text;     -- the table's name
    former    regclass; -- the table as it was
    parts     integer;  -- how many partitions it has
    owned_by  regrole;
    settings  text;     -- storage parameters such as fillfactor, of the table or of each partition
    columns   text;
    made      text[];   -- the new table and its partitions
    one       text;
    called    text;
    later     text[];   -- statements to run after the rows are copied
    found     bigint;
    copied    bigint;
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
        RAISE EXCEPTION 'on Citus the tables are split by distribute.sql';
    END IF;
    FOREACH kept IN ARRAY
        ARRAY[
            'sessions', 'tasks', 'task_counts', 'deleted_tasks', 'idempotency_keys', 'batch_results', 'sign_in_networks'
        ] LOOP
        former := format('public.%I', kept)::regclass;
        SELECT count(*) INTO parts FROM pg_inherits WHERE inhparent = former;
        CONTINUE WHEN parts = wanted;
        IF parts > 0 AND wanted > 0 THEN
            RAISE EXCEPTION '% has % partitions already: go back to 0 first', kept, parts;
        END IF;
        IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = former AND NOT tgisinternal) THEN
            RAISE EXCEPTION '% has a trigger, which would be lost', kept;
        END IF;

        SELECT relowner INTO owned_by FROM pg_class WHERE oid = former;
        SELECT coalesce(max(format('WITH (%s)', array_to_string(reloptions, ', '))), '') INTO settings
        FROM pg_class
        WHERE (oid = former OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = former))
            AND reloptions IS NOT NULL;
        SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns
        FROM pg_attribute
        WHERE attrelid = former AND attnum > 0 AND NOT attisdropped AND attgenerated = '';

        -- Everything that CREATE TABLE … LIKE does not copy, as PostgreSQL prints it.
        SELECT array_agg(line ORDER BY step, line) INTO later
        FROM (
            SELECT
                CASE contype WHEN 'f' THEN 2 ELSE 1 END AS step,
                format('ALTER TABLE public.%I ADD CONSTRAINT %I %s', kept, conname, pg_get_constraintdef(oid)) AS line
            FROM pg_constraint
            WHERE conrelid = former AND contype IN ('p', 'u', 'x', 'f')
            UNION ALL
            SELECT 1, replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ')
            FROM pg_index
            WHERE indrelid = former AND indexrelid NOT IN (SELECT conindid FROM pg_constraint WHERE conrelid = former)
            UNION ALL
            SELECT
                3,
                format('CREATE POLICY %I ON public.%I AS %s FOR %s TO ', policyname, kept, permissive, cmd)
                || (SELECT string_agg(quote_ident(role), ', ') FROM unnest(roles) AS role)
                || coalesce(' USING (' || qual || ')', '')
                || coalesce(' WITH CHECK (' || with_check || ')', '')
            FROM pg_policies
            WHERE schemaname = 'public' AND tablename = kept
            UNION ALL
            SELECT 3, format('GRANT %s ON public.%I TO %s', privilege_type, kept, grantee::regrole)
            FROM pg_class CROSS JOIN aclexplode(relacl)
            WHERE pg_class.oid = former AND grantee <> relowner
            UNION ALL
            SELECT 3, format('GRANT %s (%I) ON public.%I TO %s', privilege_type, attname, kept, grantee::regrole)
            FROM pg_attribute CROSS JOIN aclexplode(attacl)
            WHERE attrelid = former
            UNION ALL
            SELECT 3, format('COMMENT ON TABLE public.%I IS %L', kept, obj_description(former, 'pg_class'))
        ) AS lines;

        -- Rename the old table and its indexes, because the new ones get their names.
        FOR one IN SELECT relname FROM pg_index INNER JOIN pg_class ON oid = indexrelid WHERE indrelid = former LOOP
            EXECUTE format('ALTER INDEX public.%I RENAME TO %I', one, one || '_former');
        END LOOP;
        EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', former);
        EXECUTE format('ALTER TABLE %s RENAME TO %I', former, kept || '_former');

        made := ARRAY[kept];
        IF wanted = 0 THEN
            EXECUTE format(
                'CREATE TABLE public.%I (LIKE %s INCLUDING ALL EXCLUDING INDEXES) %s', kept, former, settings
            );
        ELSE
            EXECUTE format(
                'CREATE TABLE public.%I (LIKE %s INCLUDING ALL EXCLUDING INDEXES) PARTITION BY HASH (user_id)',
                kept, former
            );
            FOR number IN 0..wanted - 1 LOOP
                one := kept || to_char(number, '"_"FM00');
                made := made || one;
                EXECUTE format(
                    'CREATE TABLE public.%I PARTITION OF public.%I FOR VALUES WITH (MODULUS %s, REMAINDER %s) %s',
                    one, kept, wanted, number, settings
                );
            END LOOP;
        END IF;
        EXECUTE format('INSERT INTO public.%I (%s) SELECT %s FROM %s', kept, columns, columns, former);
        GET DIAGNOSTICS copied = ROW_COUNT;
        EXECUTE format('SELECT count(*) FROM %s', former) INTO found;
        IF copied <> found THEN
            RAISE EXCEPTION 'of % rows of % only % were copied', found, kept, copied;
        END IF;
        EXECUTE format('DROP TABLE %s', former);

        -- What default privileges gave to others, when the tables were made. The grants are copied below.
        FOR one, called IN
            SELECT DISTINCT part.relname, coalesce(quote_ident(rolname), 'PUBLIC')
            FROM pg_class AS part
            CROSS JOIN aclexplode(part.relacl)
            LEFT JOIN pg_roles ON pg_roles.oid = grantee
            WHERE part.relnamespace = 'public'::regnamespace AND part.relname = ANY (made) AND grantee <> part.relowner
        LOOP
            EXECUTE format('REVOKE ALL ON public.%I FROM %s', one, called);
        END LOOP;

        FOREACH one IN ARRAY later LOOP
            EXECUTE one;
        END LOOP;
        -- tasks_newest_first is tasks_07_newest_first in a partition, not tasks_07_user_id_created_at_id_idx
        FOR one, called IN
            SELECT part_index.relname, part.relname || substr(whole_index.relname, length(kept) + 1)
            FROM pg_inherits
            INNER JOIN pg_class AS part_index ON part_index.oid = inhrelid
            INNER JOIN pg_class AS whole_index ON whole_index.oid = inhparent
            INNER JOIN pg_index ON indexrelid = inhrelid
            INNER JOIN pg_class AS part ON part.oid = indrelid
            WHERE starts_with(whole_index.relname, kept || '_') AND part.relname = ANY (made)
        LOOP
            CONTINUE WHEN one = called;
            EXECUTE format('ALTER INDEX public.%I RENAME TO %I', one, called);
        END LOOP;
        FOREACH one IN ARRAY made LOOP
            EXECUTE format('ALTER TABLE public.%I OWNER TO %s', one, owned_by);
            EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', one);
            EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', one);
        END LOOP;
        RAISE NOTICE '%: % rows, % partitions', kept, copied, wanted;
    END LOOP;
END
$partition$;

ALTER TABLE users FORCE ROW LEVEL SECURITY;

COMMIT;

-- The next statements should be planned with statistics of the new tables.
ANALYZE sessions, tasks, task_counts, deleted_tasks, idempotency_keys, batch_results, sign_in_networks;

-- A generic plan finds its one partition when it starts. By default, PostgreSQL estimates too high a cost for such
-- a plan and plans again every time, for twice the CPU (SCALING.md). The setting is for new connections.
DO $mode$
BEGIN
    EXECUTE format(
        CASE current_setting('todo.partitions')
            WHEN '0' THEN 'ALTER DATABASE %I RESET plan_cache_mode'
            ELSE 'ALTER DATABASE %I SET plan_cache_mode = force_generic_plan'
        END,
        current_database()
    );
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE WARNING 'the owner of the database has to: ALTER DATABASE % SET plan_cache_mode = force_generic_plan',
            quote_ident(current_database());
END
$mode$;
