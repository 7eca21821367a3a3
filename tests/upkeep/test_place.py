"""Which database a command worked on."""

from psycopg.conninfo import conninfo_to_dict

from todo_api.upkeep.asking import place_of


def test_it_is_the_one_that_the_connection_leads_to(database_url: str) -> None:
    said = conninfo_to_dict(database_url)
    assert place_of(database_url).startswith(f"{said['dbname']} at host {said['host']}")


def test_without_a_connection_it_is_what_the_url_says_and_no_password() -> None:
    url = "postgresql://ann:Pa55word@127.0.0.1:1/todo"
    assert place_of(url) == "todo at host 127.0.0.1, port 1"
    assert place_of("postgresql://ann@localhost:1") == "(default) at host localhost, port 1"
