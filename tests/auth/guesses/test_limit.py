"""How many wrong passwords for one account are looked at, from however many addresses: API.md, Accounts."""

import pytest

from support.at_once import at_once
from support.guessing import ANN, FULL, NOBODY, RIGHT, counters, log_in, statuses, strangers

pytestmark = pytest.mark.contract


@pytest.mark.parametrize("email", [ANN, NOBODY])
def test_from_whatever_networks_no_more_than_so_many_wrong_passwords_are_looked_at(
    client, ann, looked_at, email
):
    assert statuses(client, 5, email) == [401] * 3 + [429] * 2
    assert len(looked_at) == 3
    answer = log_in(client, email, RIGHT, "198.51.100.9")
    assert (answer.status_code, answer.json["code"]) == FULL
    assert len(looked_at) == 3  # not even the right one
    assert 3500 < int(answer.headers["Retry-After"]) <= 3600


def test_letter_case_and_white_space_make_no_other_account(client, ann):
    spellings = ["ANN@example.com", " ann@EXAMPLE.com ", "Ann@Example.Com", ANN]
    assert [log_in(client, one).status_code for one in spellings] == [401, 401, 401, 429]


def test_accounts_have_guesses_of_their_own(client, ann, bob):
    assert statuses(client, 4) == [401] * 3 + [429]
    assert statuses(client, 4, "bob@example.com") == [401] * 3 + [429]


def test_the_limit_holds_over_all_processes_and_restarts(make_app, ann):
    addresses, found = strangers(), []
    for _ in range(3):
        client = make_app(account_guess_limit="3 per hour").test_client()
        found += statuses(client, 2, addresses=addresses)
    assert found == [401] * 3 + [429] * 3


@pytest.mark.parametrize("email", [ANN, NOBODY])
def test_of_50_guesses_at_once_from_50_networks_exactly_as_many_are_looked_at(
    make_app, ann, looked_at, patient, email
):
    apps = [make_app(account_guess_limit="20 per hour") for _ in range(3)]

    def guess(number):
        client = apps[number % 3].test_client()
        return log_in(client, email, address=f"203.0.113.{number}").status_code

    assert sorted(at_once(50, guess)) == [401] * 20 + [429] * 30
    assert len(looked_at) == 20


def test_refused_logins_prolong_nothing(client, ann, superuser):
    statuses(client, 3)
    waits = [int(log_in(client).headers["Retry-After"]) for _ in range(5)]
    assert waits == sorted(waits, reverse=True)
    assert counters(superuser) == [(3, 0)]


def test_the_window_moves(client, ann, superuser):
    statuses(client, 3)
    superuser.execute(
        "UPDATE rate_limits SET hits[1] = (hits[1] AT TIME ZONE 'UTC' - interval '1 h') AT TIME ZONE 'UTC',"
        " hits[2] = (hits[2] AT TIME ZONE 'UTC' - interval '40 min') AT TIME ZONE 'UTC'"
    )
    assert statuses(client, 2) == [401, 429]
    assert 1100 < int(log_in(client).headers["Retry-After"]) <= 1200


def test_a_lower_limit_waits_until_there_is_room_under_it(make_app, ann, superuser):
    statuses(make_app(account_guess_limit="3 per hour").test_client(), 3)
    superuser.execute(
        "UPDATE rate_limits SET hits = ARRAY[now() - interval '50 min', now() - interval '30 min', now()]"
        " WHERE cardinality(hits) = 3"
    )
    client = make_app(account_guess_limit="2 per hour").test_client()
    assert 1700 < int(log_in(client).headers["Retry-After"]) <= 1800
