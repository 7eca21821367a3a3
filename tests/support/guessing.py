"""Logins with wrong passwords, from one network after the other."""

import itertools

ANN, NOBODY, RIGHT = "ann@example.com", "nobody@example.com", "correct horse battery"
FULL = (429, "rate-limited")


def strangers():
    """Addresses from which nobody has signed in."""
    return (f"198.51.{number >> 8}.{number & 255}" for number in itertools.count(1))


def log_in(client, email=ANN, password="a wrong password", address="198.51.100.1"):
    return client.post(
        "/api/auth/login",
        json={"email": email, "password": password},
        environ_base={"REMOTE_ADDR": address},
    )


def statuses(client, count, email=ANN, password="a wrong password", addresses=None):
    """The status of each of so many logins, each from another address."""
    addresses = addresses or strangers()
    return [log_in(client, email, password, next(addresses)).status_code for _ in range(count)]


def counters(superuser):
    """Of each counter, how many guesses it has counted and how many are being looked at."""
    return superuser.execute(
        "SELECT cardinality(hits), cardinality(in_flight) FROM rate_limits"
        " WHERE key LIKE 'guesses/%' ORDER BY 1"
    ).fetchall()
