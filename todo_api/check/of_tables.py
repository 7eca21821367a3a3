"""What is in the tables: how much, what should have gone, and who holds most. Looked at by the owner."""

from collections.abc import Iterator

from todo_api.check.of_machine import in_bytes
from todo_api.settings.config import Config
from todo_api.upkeep.findings import Finding, error, ok, warning
from todo_api.upkeep.housekeeping import SWEEPS
from todo_api.upkeep.made_objects import shipped_names
from todo_api.upkeep.probe import Probe

_NAMED = 4  # tables in a line
_DEAD = 10_000  # rows that are not worth a word
OLD, TOO_OLD = 1_000_000_000, 1_800_000_000  # transactions; the server stops at 2 147 million
_LATE_S = 3 * 3600  # a sweep is due each hour
_COUNTED = 1000
_FULL = 0.9  # of a quota


def sizes(probe: Probe) -> Iterator[Finding]:
    """How large the tables are, whether autovacuum keeps up, and whether transaction ids run out."""
    tables = probe.ask("table_sizes", names=shipped_names())
    total = sum(size for _, size, *_ in tables)
    largest = ", ".join(
        f"{name} {in_bytes(size)}{'' if rows is None else f' ({rows} rows)'}"
        for name, size, _, rows, *_ in tables[:_NAMED]
    )
    yield ok("sizes", f"{in_bytes(total)} in all: {largest}")
    behind = [
        f"{name} ({dead} dead rows)"
        for name, *_, rows, dead, _ in tables
        if dead and dead > _DEAD and dead > (rows or 0) / 2
    ]
    if behind:
        yield warning(
            "vacuum",
            f"autovacuum does not keep up with {', '.join(behind)}",
            "VACUUM them, and look for transactions that stay open (sql/README.md, “Connections and open "
            "transactions”)",
        )
    oldest, name = max(((age or 0, name) for name, *_, age in tables), default=(0, ""))
    if oldest > OLD:
        told = f"{name} was not frozen for {oldest // 1_000_000} million transactions"
        found = error if oldest > TOO_OLD else warning
        yield found("vacuum", told, f"VACUUM (FREEZE) {name}: at 2147 million the server stops")
    elif not behind:
        yield ok("vacuum", "autovacuum keeps up")


def indexes(probe: Probe) -> Iterator[Finding]:
    """Whether PostgreSQL can use all indexes."""
    if unusable := ", ".join(name for (name,) in probe.ask("unusable_indexes")):
        told = f"PostgreSQL can't use {unusable}, which was not built to its end"
        yield warning(
            "indexes", told, "REINDEX INDEX CONCURRENTLY it, or DROP it and migrate again"
        )
    else:
        yield ok("indexes", "all can be used")


def housekeeping(probe: Probe) -> Iterator[Finding]:
    """Whether what has expired goes."""
    [(sweep_s, since_s)] = probe.ask("last_sweep")
    if sweep_s is None:
        when = "there was no sweep yet"
    else:
        when = f"the last sweep was {max(0, sweep_s) / 60:.0f} minutes ago"
    waited_s = since_s if sweep_s is None else sweep_s
    if waited_s is not None and waited_s > _LATE_S:
        hint = "see whether the service runs, and what it logs; `todo-api prune` sweeps at once"
        yield warning("housekeeping", f"{when}, and one is due each hour", hint)
    else:
        yield ok("housekeeping", when)


def overdue(probe: Probe, config: Config) -> Iterator[Finding]:
    """Whether rows are left that should have gone."""
    days = config.events_days
    late = dict(probe.ask("overdue_rows", as_todo_auth=True, days=days, most=_COUNTED))
    [(late["rate_limits"],)] = probe.ask("overdue_rate_limits", most=_COUNTED)
    left = [
        f"{name} ({_COUNTED} or more)" if count >= _COUNTED else f"{name} ({count})"
        for name in SWEEPS
        if (count := late.get(name, 0))
    ]
    if left:
        told = f"expired rows are left in {', '.join(left)}"
        yield warning("expired", told, "run `todo-api prune`")
    else:
        kept = f"events are kept for {days} days" if days else "events are kept for ever"
        yield ok("expired", f"nothing is left that should have gone; {kept}")


def quotas(probe: Probe, config: Config) -> Iterator[Finding]:
    """Whose quotas are the fullest, by id alone: what a check says gets into logs and mails."""
    tasks, text = config.max_tasks_per_user, config.max_text_per_user
    users = probe.ask(
        "fullest_users", as_todo_auth=True, most=_NAMED, max_tasks=tasks, max_text=text
    )
    told = ", ".join(f"{user} {held}, {in_bytes(size)}" for user, held, size, _ in users)
    limits = f"{tasks} tasks and {in_bytes(text)} of text"
    if any(share >= _FULL for *_, share in users):
        yield warning(
            "quotas",
            f"users are near their quotas, which are {limits}: {told}",
            "raise MAX_TASKS_PER_USER or MAX_TEXT_PER_USER if they are in the right",
        )
    else:
        yield ok("quotas", f"who holds most, of {limits}: {told or 'nobody'}")
