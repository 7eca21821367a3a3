"""Two deployments on one server share the service's roles, and neither gets into the other's database."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from todo_api.upkeep.migrate import migrate
from todo_api.upkeep.role_check import check_role

OPEN = "every login of the server may connect to this database"


def run(url: str, *commands: str) -> None:
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        for command in commands:
            connection.execute(command.encode())


def part(url: str, name: str) -> str:
    return str(conninfo_to_dict(url)[name])


def gets_in(login: str, url: str) -> bool:
    """Whether a login may connect to the database of a URL."""
    try:
        psycopg.connect(make_conninfo(url, user=login)).close()
    except psycopg.OperationalError as error:
        if "User does not have CONNECT privilege" not in str(error):
            raise
        return False
    return True


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What start-up has said of the database since it was last asked."""
    said = [one.getMessage() for one in caplog.records if one.getMessage().startswith(OPEN)]
    caplog.clear()
    return said


@pytest.fixture
def two(deployment: Callable[..., str]) -> tuple[str, str]:
    """The URLs of two deployments, migrated by the logins that own them."""
    one = deployment()
    migrate(one)
    other = deployment()
    migrate(other)
    return one, other


@pytest.fixture
def as_before(two: tuple[str, str], dba: psycopg.Connection[Any]) -> Callable[[str], None]:
    """Opens a database again, as all were before."""

    def as_before(url: str) -> None:
        dba.execute(
            f"GRANT CONNECT, TEMPORARY ON DATABASE {part(url, 'dbname')} TO PUBLIC".encode()
        )

    return as_before


@pytest.mark.slow
def test_the_login_of_one_does_not_get_into_the_other(
    two: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    one, other = two
    for url in two:
        check_role(url)
        assert gets_in(part(url, "user"), url)
    assert not gets_in(part(one, "user"), other)
    assert not gets_in(part(other, "user"), one)
    assert warned(caplog) == []


@pytest.mark.slow
def test_nobody_else_may_make_temporary_tables_there(
    two: tuple[str, str], dba: psycopg.Connection[Any]
) -> None:
    for url in two:
        with closing(psycopg.connect(url, autocommit=True)) as connection:
            connection.execute("SET ROLE todo_app")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("CREATE TEMPORARY TABLE tasks ()")


@pytest.mark.slow
def test_a_login_that_only_serves_gets_into_its_own_database_alone(
    deployment: Callable[..., str], two: tuple[str, str], role: Callable[..., str]
) -> None:
    owner = deployment()
    narrow = role("LOGIN IN ROLE todo_app")
    migrate(owner, login=narrow)
    check_role(make_conninfo(owner, user=narrow))
    assert gets_in(narrow, owner)
    assert not any(gets_in(narrow, url) for url in two)


@pytest.mark.slow
def test_an_open_database_is_warned_of_with_the_commands_and_closed_by_the_next_start(
    two: tuple[str, str], as_before: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    one, other = two
    as_before(one)
    assert gets_in(part(other, "user"), one)
    check_role(one)
    [said] = warned(caplog)
    assert part(other, "user") in said.partition("may work as the service")[0]
    assert said.endswith(f"REVOKE CONNECT, TEMPORARY ON DATABASE {part(one, 'dbname')} FROM PUBLIC")
    assert migrate(one) == []
    assert not gets_in(part(other, "user"), one)
    check_role(one)
    assert warned(caplog) == []


@pytest.mark.slow
def test_the_commands_of_the_warning_close_it(
    two: tuple[str, str],
    as_before: Callable[[str], None],
    role: Callable[..., str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    one, other = two
    narrow = role("LOGIN IN ROLE todo_app")
    as_before(one)
    check_role(make_conninfo(one, user=narrow))
    [said] = warned(caplog)
    run(one, *said.partition("Its owner should run: ")[2].split("; "))
    assert gets_in(narrow, one)
    assert not gets_in(part(other, "user"), one)


@pytest.mark.slow
def test_the_serving_login_of_another_deployment_does_not_keep_it_open(
    two: tuple[str, str], as_before: Callable[[str], None], role: Callable[..., str]
) -> None:
    one, other = two
    narrow = role("LOGIN IN ROLE todo_app")
    migrate(other, login=narrow)
    run(other, f"GRANT CONNECT ON DATABASE {part(other, 'dbname')} TO {narrow}")
    as_before(one)
    assert gets_in(narrow, one)
    migrate(one)
    assert not gets_in(narrow, one)


@pytest.mark.slow
@pytest.mark.parametrize("known", [True, False])
def test_closing_a_database_that_was_open_locks_no_serving_login_out(
    two: tuple[str, str],
    as_before: Callable[[str], None],
    role: Callable[..., str],
    caplog: pytest.LogCaptureFixture,
    known: bool,
) -> None:
    one, other = two
    narrow = role("LOGIN IN ROLE todo_app")  # has always connected as everybody may
    as_before(one)
    assert migrate(one, login=narrow if known else None) == []
    assert gets_in(narrow, one)
    assert gets_in(part(other, "user"), one) is not known
    check_role(one)
    assert len(warned(caplog)) == (0 if known else 1)


@pytest.mark.slow
def test_a_serving_login_that_the_server_does_not_know_leaves_it_open(
    two: tuple[str, str], as_before: Callable[[str], None]
) -> None:
    one, other = two
    as_before(one)
    migrate(one, login="pooler.user")  # a pooler may log in as somebody else
    assert gets_in(part(other, "user"), one)


@pytest.mark.slow
def test_a_database_that_other_programs_use_is_left_open_and_warned_of(
    deployment: Callable[..., str],
    two: tuple[str, str],
    role: Callable[..., str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = deployment()
    run(url, "CREATE SCHEMA auth")  # as on Supabase, whose own roles connect as everybody may
    migrate(url)
    assert gets_in(role("LOGIN"), url)
    check_role(url)
    [said] = warned(caplog)
    assert part(two[0], "user") in said
    assert said.endswith("(give the logins of other programs CONNECT first)")


@pytest.mark.slow
def test_a_login_that_does_not_own_the_database_leaves_it_open_and_warns(
    deployment: Callable[..., str],
    two: tuple[str, str],
    dba: psycopg.Connection[Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = deployment()
    dba.execute(f"ALTER DATABASE {part(url, 'dbname')} OWNER TO {dba.info.user}".encode())
    run(
        make_conninfo(url, user=dba.info.user),
        f"GRANT ALL ON SCHEMA public TO {part(url, 'user')} WITH GRANT OPTION",
    )
    migrate(url)
    assert gets_in(part(two[0], "user"), url)
    check_role(url)
    [said] = warned(caplog)
    assert f"GRANT CONNECT ON DATABASE {part(url, 'dbname')} TO {part(url, 'user')}; REVOKE" in said
    run(make_conninfo(url, user=dba.info.user), *said.partition("should run: ")[2].split("; "))
    assert gets_in(part(url, "user"), url)
    assert not gets_in(part(two[0], "user"), url)


def test_a_login_that_gets_to_todo_auth_by_another_role_is_warned_of(
    two: tuple[str, str],
    role: Callable[..., str],
    dba: psycopg.Connection[Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    one, _ = two
    anon = role("NOLOGIN IN ROLE todo_auth")
    insider = role(f"LOGIN NOINHERIT IN ROLE {anon}")
    run(one, f"GRANT CONNECT ON DATABASE {part(one, 'dbname')} TO {insider}")
    check_role(one)
    said = [record.getMessage() for record in caplog.records]
    assert [text for text in said if text.startswith(f"{insider} could become todo_auth")]
    dba.execute(f"REVOKE todo_auth FROM {anon}".encode())
    caplog.clear()
    check_role(one)
    assert "todo_auth, which sees" not in caplog.text
