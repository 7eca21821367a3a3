"""What a database consists of, read from PostgreSQL's catalogues, in words that can be compared."""

from typing import Any

import psycopg

# Each says one thing a line; what belongs to PostgreSQL itself or to yoyo's own records is left out.
_QUESTIONS = (
    """
    SELECT 'schema', nspname, pg_get_userbyid(nspowner), ARRAY(SELECT unnest(nspacl)::text ORDER BY 1)
    FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
    """,
    """
    SELECT 'relation', oid::regclass::text, relkind, relpersistence, pg_get_userbyid(relowner), reloptions,
        relrowsecurity, relforcerowsecurity,
        ARRAY(SELECT unnest(coalesce(  -- a table whose grants were revoked has the default written out
            relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)
        ))::text ORDER BY 1)
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname !~ '^_yoyo'
    """,
    """
    -- by its place among those that are left: a column that was dropped keeps its number
    SELECT 'column', attrelid::regclass::text, row_number() OVER (PARTITION BY attrelid ORDER BY attnum),
        attname, format_type(atttypid, atttypmod), attnotnull,
        attidentity, attgenerated, pg_get_expr(adbin, adrelid), ARRAY(SELECT unnest(attacl)::text ORDER BY 1)
    FROM pg_attribute
    INNER JOIN pg_class ON pg_class.oid = attrelid
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE relnamespace = 'public'::regnamespace AND relname !~ '^_yoyo' AND attnum > 0 AND NOT attisdropped
    """,
    """
    SELECT 'constraint', conrelid::regclass::text, conname, convalidated,
        pg_get_constraintdef(pg_constraint.oid)
    FROM pg_constraint INNER JOIN pg_class ON pg_class.oid = conrelid
    WHERE relnamespace = 'public'::regnamespace AND relname !~ '^_yoyo'
    """,
    """
    SELECT 'index', indrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid
    FROM pg_index INNER JOIN pg_class ON pg_class.oid = indrelid
    WHERE relnamespace = 'public'::regnamespace AND relname !~ '^_yoyo'
    """,
    """
    SELECT 'policy', polrelid::regclass::text, polname, polcmd, polpermissive,
        ARRAY(SELECT one::regrole::text FROM unnest(polroles) AS one ORDER BY 1),
        pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)
    FROM pg_policy
    """,
    """
    SELECT 'function', pg_get_functiondef(oid), pg_get_userbyid(proowner),
        ARRAY(SELECT unnest(proacl)::text ORDER BY 1)
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    """,
    """
    SELECT 'trigger', tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    """,
    """
    SELECT 'type', typname, typtype FROM pg_type
    WHERE typnamespace = 'public'::regnamespace AND typname !~ '^_+yoyo'
    """,
    """
    SELECT 'comment', pg_describe_object(classoid, objoid, objsubid), description FROM pg_description
    WHERE objoid IN (
        SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION ALL SELECT oid FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    )
    """,
    "SELECT 'extension', extname, extversion FROM pg_extension",
    "SELECT 'default privilege', defaclobjtype, defaclacl::text FROM pg_default_acl",
)


def catalogue(connection: psycopg.Connection[Any]) -> list[str]:
    """Every schema, relation, column, constraint, index, policy, function, type and grant, sorted."""
    return sorted(
        " | ".join(str(value) for value in row)
        for question in _QUESTIONS
        for row in connection.execute(question)
    )


def roles(connection: psycopg.Connection[Any]) -> list[str]:
    """The service's roles on this server, with what they may and who is a member of them."""
    rows = connection.execute(
        """
        SELECT rolname, rolsuper, rolcreaterole, rolcreatedb, rolcanlogin, rolbypassrls, rolinherit,
            ARRAY(
                SELECT DISTINCT pg_get_userbyid(member) FROM pg_auth_members
                WHERE roleid = pg_roles.oid ORDER BY 1
            )
        FROM pg_roles WHERE rolname IN ('todo_app', 'todo_auth') ORDER BY rolname
        """
    )
    return [" | ".join(str(value) for value in row) for row in rows]
