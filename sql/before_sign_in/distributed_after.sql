-- On a Citus coordinator: after which migration distribute.sql was run last. It has to be run after each of them.
--
-- Why here:   start-up checks it; nobody is signed in
-- Parameters: none
-- Returns:    migration   null if distribute.sql was never run here; no row where Citus is not
-- Index:      none: catalogues
-- Locks:      none
SELECT
    substring(
        pg_catalog.obj_description(to_regprocedure('public.begin_request(uuid)')::oid, 'pg_proc')
        FROM 'Made by distribute[.]sql after (.+)$'
    ) AS migration
FROM pg_catalog.pg_extension
WHERE extname = 'citus'
