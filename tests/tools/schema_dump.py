"""Renew migrations/schema.sql, the whole schema at once.

python tests/tools/schema_dump.py
"""

import on_path  # noqa: F401

from support.postgres.embedded_server import embedded_server
from support.postgres.schema_dump import PAGE, dump
from todo_api.upkeep.migrate import migrate


def main() -> None:
    with embedded_server() as url:
        migrate(url)
        PAGE.write_text(dump(url), encoding="utf-8")


if __name__ == "__main__":
    main()
