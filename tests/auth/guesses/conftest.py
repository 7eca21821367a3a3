"""An application with a low limit, and what it looks at."""

import pytest

from todo_api.attempts import guesses
from todo_api.auth import passwords
from todo_api.auth.passwords import Hasher


@pytest.fixture
def limited(make_app):
    """An application that looks at three wrong passwords an hour."""
    return make_app(account_guess_limit="3 per hour")


@pytest.fixture
def client(limited):
    return limited.test_client()


@pytest.fixture
def looked_at(monkeypatch):
    """The passwords that were looked at."""
    seen, check = [], Hasher.check

    def noted(self, password, stored):
        seen.append(password)
        return check(self, password, stored)

    monkeypatch.setattr(Hasher, "check", noted)
    return seen


@pytest.fixture
def patient(monkeypatch):
    """No password waits for too long, however busy the machine is."""
    monkeypatch.setattr(passwords, "PATIENCE_S", 60)
    monkeypatch.setattr(guesses, "PATIENCE_S", 60)
