"""The shape that every plan has to have; what is wrong with one, in words."""

from .cases import indexes_of_header
from .measure import Measured

# What a statement that looks for one row of one table may touch: at 100 000 tasks the index 3, the row's
# page, its new version and the map of visible pages 3. At 10 million an index has one level more.
BLOCKS = 10
# What needs more, as it was counted. Each figure leaves room for a level more, a page that is full, or an
# index page that has to be split.
_MORE_BLOCKS = {
    # 30: the task, looked at and found again by tasks_pkey 8 and its deletion 3; the counter by
    # task_counts_pkey 2, its new version 4; what is remembered of the task 1, its entries in three indexes 8,
    # and 4 for the foreign key
    "tasks/delete": 48,
    # 17: the task is looked at 4, found again 4, and its new version 3; the counter as above
    "tasks/complete": 24,
    "tasks/update": 24,
    # 18: the task 2 and its entries in two indexes 6; users_pkey and users 4 for the foreign key; the counter
    # by task_counts_pkey 2, its new version 4. A full last page makes it 10 more.
    "tasks/create": 32,
    # the same, and the id is looked for by tasks_pkey and deleted_tasks_pkey 6
    "tasks/create_with_id": 40,
    # 50 or so: a task as above; its key, looked for by idempotency_keys_pkey 2, is added 2 with entries in
    # three indexes 9 and, for the foreign key, users_pkey and users 4; the user's keys of the last day are
    # counted by idempotency_keys_oldest_first 12. Full pages as above.
    "tasks/create_once": 80,
    # 47: ten keys by idempotency_keys_oldest_first 2, each on a page of its own: found 10, found again and
    # removed 30; the one that is asked for by idempotency_keys_pkey 2
    "idempotency_keys/delete_expired": 64,
    # 13: the session 3 and its entry 2; users_pkey and users 4 for the statement, 4 for the foreign key
    "sessions/create": 16,
    # 17: sessions_pkey 2 and each of five sessions on a page of its own 5, twice: for the newest, and for the
    # others, which are removed 3
    "sessions/make_room": 24,
    # 30 to 60: ten rows by the index over the times 3 and on pages of their own 10, found again 13 and
    # removed 20
    "before_sign_in/sweep_sessions": 64,
    # 97: the same, and the counters of ten users, each with its new version
    "before_sign_in/sweep_deleted_tasks": 140,
    "before_sign_in/sweep_idempotency_keys": 64,
    "before_sign_in/sweep_auth_events": 64,
    # 75: ten counters as in hit_rate_limit
    "before_sign_in/sweep_rate_limits": 100,
    # 19: the event 5 and its entries in three indexes 6; users_pkey and users 4 for the statement, 4 for the
    # foreign key; when bounded, 5 more for the newest events of that network, which stand together
    "auth_events/record": 32,
    "before_sign_in/record_event": 32,
    # 32: of one user sessions_pkey 2, and 3 for each of five sessions; then an event as above, whose user is
    # looked at for the foreign key
    "before_sign_in/end_sessions": 48,
    # 82: the counter by rate_limits_pkey 3, its new version 3, its entries in two indexes 6; and 7 for each
    # of ten outdated counters: found by rate_limits_expires_at, locked, found by rate_limits_pkey, removed.
    # 12 more for each further network.
    "before_sign_in/hit_rate_limit": 132,
}
_EVERY_ROW = {"before_sign_in/clear_rate_limits"}
# at most 50 are sorted: not worth an index; and once all of a user
_FEW_ROWS = {"sessions/make_room", "tasks/number"}
# Entries that former runs left, which were rolled back
_LEFT = 20
# Where a plan evaluates an expression once, whatever it reads
_ONCE = ("One-Time Filter: ", "Index Cond: ")
# What a statement may find and leave, all of it the user's own
_FILTERS = {
    "idempotency_keys/delete_expired": ("(created_at <= (now() - '24:00:00'::interval))",),
    "tasks/number": ("(revision = 0)",),
    "sessions/make_room": ("(expires_at > now())", "(NOT (ANY (id = ", "(NOT (hashed SubPlan"),
    "auth_events/record": ("auth_event_room(",),
}


def most_blocks(measured: Measured) -> int | None:
    """How many blocks of tables and indexes a case may touch; None: as many as there are."""
    name = measured.case.statement.name
    if name in _EVERY_ROW:
        return None
    if name in ("tasks/list", "tasks/page"):
        # each task may stand on a page of its own, and 100 entries of the index on one
        return BLOCKS + measured.rows + measured.rows // 100
    if name == "tasks/number":
        # the same twice: for those without a revision, of which there are none here, and to count all
        tasks = measured.case.user.rows["tasks"]
        return 2 * (BLOCKS + tasks + tasks // 100)
    return _MORE_BLOCKS.get(name, BLOCKS)


def complaints(measured: Measured) -> list[str]:
    """What is wrong with a plan; nothing, if it has the shape."""
    return [
        *_indexes(measured),
        *_sequential_scans(measured),
        *_sorts(measured),
        *_other_users_rows(measured),
        *_updates(measured),
        *_blocks(measured),
    ]


def _is_small(measured: Measured, relation: str) -> bool:
    """Whether PostgreSQL rightly prefers the table itself to any index: it is one page."""
    return measured.relations[measured.relations[relation].table].pages <= 1


def _indexes(measured: Measured) -> list[str]:
    named = indexes_of_header(measured.case.statement.name)
    found = [
        f"the header names {index}, which does not exist"
        if index not in measured.relations
        else f"the header names {index}, which is not used"
        for index in named
        if index not in measured.touched
        and not (index in measured.relations and _is_small(measured, index))
    ]
    used = {
        node["Index Name"]
        for node in measured.nodes
        if "Index Name" in node and node.get("Actual Loops", 1)
    }
    found += [
        f"{index} carries the statement, but its header does not name it"
        for index in sorted(used - set(named))
        if index in measured.relations
    ]
    return found


def _sequential_scans(measured: Measured) -> list[str]:
    return [
        f"a sequential scan of {name}"
        for name, touched in measured.touched.items()
        if touched.scans
        and not measured.relations[name].is_index
        and not _is_small(measured, name)
        and measured.case.statement.name not in _EVERY_ROW
    ]


def _sorts(measured: Measured) -> list[str]:
    name = measured.case.statement.name
    found = [
        f"{node['Node Type']} by {', '.join(node['Sort Key'])}"
        for node in measured.nodes
        if "Sort Key" in node and measured.case.is_of_user and name not in _FEW_ROWS
    ]
    if any(node.get("Temp Written Blocks") for node in measured.nodes):
        found.append("something is sorted or hashed on disk")
    return found


def _other_users_rows(measured: Measured) -> list[str]:
    if not measured.case.is_of_user:
        return []
    own = measured.case.user.rows
    found = [
        f"a scan of {name} found {touched.entries // touched.scans} entries;"
        f" the user has {own[measured.relations[name].table]}"
        for name, touched in measured.touched.items()
        if touched.scans and measured.relations[name].is_index and measured.relations[name].by_user
        if touched.entries // touched.scans > own[measured.relations[name].table] + _LEFT
    ]
    for node in measured.nodes:
        text = node.get("Filter", "")
        allowed = _FILTERS.get(measured.case.statement.name, ())
        if node.get("Relation Name") == "task_counts":  # one row a user
            continue
        if "Relation Name" in node and text and not any(one in text for one in allowed):
            found.append(f"rows of {node['Relation Name']} are read first and judged later: {text}")
    judged = [line for line in measured.text.splitlines() if "current_setting" in line]
    if not all(line.strip().startswith(_ONCE) for line in judged):
        found.append("row security is evaluated for each row")
    return found


def _updates(measured: Measured) -> list[str]:
    return [
        f"the new version of a row of {name} is not beside the old one (HOT)"
        for name, touched in measured.touched.items()
        if touched.updated > touched.updated_in_place and measured.relations[name].by_user
    ]


def _blocks(measured: Measured) -> list[str]:
    limit = most_blocks(measured)
    if limit is None or measured.blocks <= limit:
        return []
    largest_first = sorted(measured.touched.items(), key=lambda one: -one[1].blocks)
    parts = ", ".join(f"{name} {one.blocks}" for name, one in largest_first if one.blocks)
    return [f"{measured.blocks} blocks instead of at most {limit}: {parts}"]
