"""A network that a user has signed in from has guesses of its own."""

import pytest

from support.guessing import ANN, RIGHT, log_in, statuses
from todo_api.attempts import guesses

pytestmark = pytest.mark.contract


def test_a_network_that_was_signed_in_from_has_guesses_of_its_own(client, ann, looked_at):
    home, office = "192.0.2.20", "2001:db8:1:2::3"
    for address in (home, office):
        assert log_in(client, password=RIGHT, address=address).status_code == 200
    assert statuses(client, 4) == [401] * 3 + [429]
    for address in (home, office, "127.0.0.1"):  # ann signed up from the last
        assert log_in(client, password=RIGHT, address=address).status_code == 200
    elsewhere_in_the_office = (f"2001:db8:1:2:{number:x}::1" for number in range(9))
    assert statuses(client, 4, addresses=elsewhere_in_the_office) == [401] * 3 + [429]
    assert log_in(client, password=RIGHT, address=office).status_code == 429
    assert log_in(client, password=RIGHT, address=home).status_code == 200


def test_an_ipv4_address_inside_an_ipv6_address_is_the_known_one(client, ann):
    assert log_in(client, password=RIGHT, address="192.0.2.20").status_code == 200
    statuses(client, 4)
    for address in ("::ffff:192.0.2.20", "64:ff9b::c000:214"):
        assert log_in(client, password=RIGHT, address=address).status_code == 200


def test_a_network_that_another_account_knows_is_a_stranger_s(client, ann, bob):
    assert log_in(client, "bob@example.com", RIGHT, "192.0.2.30").status_code == 200
    statuses(client, 3)
    assert log_in(client, password=RIGHT, address="192.0.2.30").status_code == 429


@pytest.mark.parametrize(("days", "status"), [(90, 200), (91, 429)])
def test_a_network_is_known_for_90_days(client, ann, superuser, days, status):
    assert log_in(client, password=RIGHT, address="192.0.2.20").status_code == 200
    superuser.execute(f"UPDATE sign_in_networks SET seen_on = seen_on - {days}")
    statuses(client, 3)
    assert log_in(client, password=RIGHT, address="192.0.2.20").status_code == status


def test_a_network_is_written_once_a_day(client, ann, superuser):
    def rows():
        return superuser.execute(
            "SELECT xmin::text, network::text, (now() AT TIME ZONE 'UTC')::date - seen_on"
            " FROM sign_in_networks"
        ).fetchall()

    [(first, network, age)] = rows()
    assert (network, age) == ("127.0.0.1/32", 0)
    for _ in range(3):
        log_in(client, password=RIGHT, address="127.0.0.1")
    assert rows() == [(first, network, 0)]
    superuser.execute("UPDATE sign_in_networks SET seen_on = seen_on - 1")
    log_in(client, password=RIGHT, address="127.0.0.1")
    [(_, _, age)] = rows()
    assert age == 0


def test_a_user_has_at_most_100_networks_and_the_oldest_goes(client, ann, superuser):
    superuser.execute(
        "INSERT INTO sign_in_networks (user_id, network, seen_on)"
        " SELECT user_id, '10.0.0.0'::inet + number, seen_on - number"
        " FROM sign_in_networks CROSS JOIN generate_series(1, 80) AS number"
        " UNION ALL SELECT user_id, '10.0.1.0'::inet + number, seen_on"
        " FROM sign_in_networks CROSS JOIN generate_series(1, 19) AS number"
    )
    for number in range(3):
        assert log_in(client, password=RIGHT, address=f"192.0.2.{number}").status_code == 200
    left = {
        network
        for (network,) in superuser.execute("SELECT host(network) FROM sign_in_networks").fetchall()
    }
    assert len(left) == 100
    assert {f"192.0.2.{number}" for number in range(3)} | {"10.0.0.77", "127.0.0.1"} <= left
    assert not {"10.0.0.78", "10.0.0.79", "10.0.0.80"} & left


def test_a_refused_login_makes_no_network_known(client, ann, superuser):
    statuses(client, 4)
    assert superuser.execute("SELECT host(network) FROM sign_in_networks").fetchall() == [
        ("127.0.0.1",)
    ]


def test_wrong_current_passwords_count_as_guesses_of_their_network(limited, client, ann):
    def current_password(right, *, known):
        with (
            limited.test_request_context(environ_base={"REMOTE_ADDR": "192.0.2.50"}),
            guesses.at_own_account(ANN, known) as guess,
        ):
            if not right:
                limited.extensions["database"].before_sign_in(*guess.was_wrong())

    log_in(client, password=RIGHT, address="192.0.2.50")
    for right in (True, False, True, False, True, False):
        current_password(right, known=True)
    with pytest.raises(Exception, match="rate-limited"):
        current_password(right=True, known=True)
    assert log_in(client, password=RIGHT, address="192.0.2.50").status_code == 429
    assert statuses(client, 1) == [401]
    current_password(right=False, known=False)
    assert statuses(client, 2) == [401, 429]
