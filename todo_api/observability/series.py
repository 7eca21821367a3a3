"""The series that Prometheus gets: their names, meanings and labels."""

from __future__ import annotations

import time
from importlib.metadata import version
from platform import python_version

from prometheus_client import Counter, Gauge, Histogram

# All known series exist from the start at 0: for a series that begins at 1, Prometheus sees no increase.
SERVER_REFUSALS = (400, 408, 413, 431, 500)
CUT_OFF = ("slow", "room")
LIMITS = ("address", "account")  # what had too many attempts
EVENTS = (
    "signup", "login", "renewal", "logout", "session_ended", "sessions_ended", "password_changed",
    "email_changed", "password_reset", "account_deleted", "token_created", "token_ended",
    "signup_refused", "login_refused", "password_refused", "reset_refused", "token_refused",
    "foreign_user", "rate_limited",
)  # fmt: skip
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10)


class Series:
    """Every series of one process. Made after prometheus_client was told where to keep values."""

    def __init__(self) -> None:
        self._define_requests()
        self._define_database()
        self._define_passwords()
        self._define_service()

    def _define_requests(self) -> None:
        self.requests = _counter(
            "http_requests",
            "Requests that the application answered. A route is a template, or (none) when none fits.",
            "method", "route", "status",
        )  # fmt: skip
        self.durations = Histogram(
            "todo_api_http_request_duration_seconds",
            "Seconds from the moment that a thread takes a request until its answer is ready.",
            ("method", "route"),
            buckets=BUCKETS_S,
            registry=None,
        )
        self.server_refusals = _counter(
            "http_server_refusals",
            "Requests that the HTTP server answered itself: no HTTP, too large, not whole in time.",
            "status",
        )
        self.unsent = _gauge(
            "unsent_bytes",
            "Bytes of large answers that workers hold until clients have read them. Looked at once a second.",
        )
        self.unsent_refusals = _counter(
            "unsent_refusals",
            "Requests answered 503 because too many large answers were unread.",
        )
        self.cut_off = _counter(
            "unread_answers_cut_off",
            "Connections closed before their answer was sent: slow, the client read too slowly; room, others "
            "needed the memory.",
            "reason",
        )
        self.rate_limited = _counter(
            "rate_limit_refusals",
            "Attempts refused (429), by route and by what had too many: an address, or (wrong passwords) an "
            "account.",
            "route", "limit",
        )  # fmt: skip
        self.events = _counter(
            "auth_events",
            "Sign-ups, logins, logouts and refusals, as in the table auth_events (which keeps 60 a minute of "
            "some).",
            "event",
        )

        self.user_refusals = _counter(
            "user_line_refusals",
            "Requests of users who sent more at once than could be answered in time: answered 503.",
        )

    def _define_database(self) -> None:
        self.connections = _gauge(
            "database_connections",
            "Connections of the pools, in use (or being opened) and idle. Looked at once a second.",
            "state",
        )
        self.most_connections = _gauge(
            "database_connections_max", "Connections that the pools may open, all workers together."
        )
        self.waiting = _gauge(
            "database_waiting_requests",
            "Requests that wait for a connection of a pool. Looked at once a second.",
        )
        self.waits = _counter("database_waits", "Times that a request waited for a connection.")
        self.waited = _counter(
            "database_wait_seconds",
            "Seconds that requests waited for a connection: a rate of 1 is one request always waiting.",
        )
        self.database_errors = _counter(
            "database_errors",
            "Times that the database could not answer, by kind of error and PostgreSQL's code, as in the "
            "log. Requests that failed because of it were answered 503.",
            "reason",
        )

        self.removed = _counter(
            "housekeeping_removed_rows", "Expired rows that were removed, by their table.", "kind"
        )

    def _define_passwords(self) -> None:
        self.hashing = _gauge(
            "password_hashes_pending",
            "Passwords that are being hashed, and that wait for it. Looked at once a second.",
            "state",
        )
        self.hashes = _counter("password_hashes", "Passwords that were hashed or checked.")
        self.hashed = _counter(
            "password_hash_cpu_seconds", "Seconds of CPU that hashing passwords took."
        )
        self.queued = _counter(
            "password_hash_wait_seconds", "Seconds that passwords waited to be hashed."
        )
        self.hash_refusals = _counter(
            "password_hash_refusals",
            "Passwords that could not have been hashed in time: answered 503.",
        )

    def _define_service(self) -> None:
        self.workers = _gauge("workers", "Worker processes that serve.")
        self.lost = _counter("worker_restarts", "Worker processes that ended and were replaced.")
        self.hung = _counter("worker_hangs", "Processes that hung: they were ended, and replaced.")
        self.build = _gauge(
            "build_info", "Always 1; the labels say what runs.", "version", "python"
        )
        self.build.labels(version("todo-api"), python_version()).set(1)
        self.began = _gauge("start_time_seconds", "When the service was started, in Unix time.")
        self.began.set(time.time())


def _counter(name: str, about: str, *labels: str) -> Counter:
    return Counter(f"todo_api_{name}", about, labels, registry=None)


def _gauge(name: str, about: str, *labels: str) -> Gauge:
    return Gauge(f"todo_api_{name}", about, labels, registry=None, multiprocess_mode="livesum")
