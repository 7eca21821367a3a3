"""The shape that every plan has to have; what is wrong with one, in words."""

from .cases import FILTERED, FILTERED_AND_SORTED, PAGE_SIZE, indexes_of_header
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
    # 115 to 180: ten tasks as in tasks/create, five with an id that is looked for; the counter once
    "batches/create": 240,
    # as those of the single calls; the key by idempotency_keys_pkey 2
    "batches/update": 40,
    "batches/complete": 40,
    "batches/delete": 64,
    # the user's keys of the last day, each on a page of its own, and the answers of their batches
    "batches/claim": 120,
    "batches/answered": 100,
    # 50 or so: a task as above; its key, looked for by idempotency_keys_pkey 2, is added 2 with entries in
    # three indexes 9 and, for the foreign key, users_pkey and users 4; the user's keys of the last day are
    # counted by idempotency_keys_oldest_first 12. Full pages as above.
    "tasks/create_once": 80,
    # 47: ten keys by idempotency_keys_oldest_first 2, each on a page of its own: found 10, found again and
    # removed 30; the one that is asked for by idempotency_keys_pkey 2
    "idempotency_keys/delete_expired": 64,
    # 12: users_pkey and users 4, tasks_pkey and tasks 5, the counter that is there already 3
    "tasks/open_counter": 16,
    # 13: the session 3 and its entry 2; users_pkey and users 4 for the statement, 4 for the foreign key
    "sessions/create": 16,
    # 17: sessions_pkey 2 and each of five sessions on a page of its own 5, twice: for the newest, and for the
    # others, which are removed 3
    "sessions/make_room": 24,
    # 13: the session 1 and its new version 3, with entries in two indexes 5; sessions_pkey 2
    "sessions/end_soon": 16,
    # 18: the session that is renewed by sessions_pkey 3; a session as in create, without users
    "sessions/renew": 24,
    # 14: sessions_pkey 2 and each of five sessions on a page of its own 5, twice
    "sessions/trim": 24,
    "sessions/list": 16,
    # 12 to 24: the same, and those that end are removed
    "sessions/end": 24,
    "sessions/end_others": 32,
    # 10: the user and its network; then one counter as in hit_rate_limit 12
    "before_sign_in/count_guess": 32,
    # 13: the counter, whose new version finds no room beside the old one
    "before_sign_in/settle_guess": 16,
    "before_sign_in/take_back_guess": 16,
    # 17: a user's five networks 3, twice as in sessions/make_room; and two that are removed
    "sign_in_networks/make_room": 24,
    # 16: the network 3 and its entries in two indexes; users_pkey and users as in sessions/create
    "sign_in_networks/see": 24,
    # 17: the user by users_pkey 3, and its new version on another page with entries in two indexes
    "users/change_password": 24,
    "users/change_email": 24,
    # 30 to 60: the session 3, the user's tokens 4; the token and its entries in two indexes 6; users_pkey and
    # users 4, for the foreign key; the event as in auth_events/record
    "api_tokens/create": 64,
    # 20 or so: the token 3 and its deletion 2; the event as in auth_events/record
    "api_tokens/delete": 40,
    # 30 to 60: ten rows by the index over the times 3 and on pages of their own 10, found again 13 and
    # removed 20
    "before_sign_in/sweep_sessions": 64,
    "before_sign_in/sweep_api_tokens": 64,
    # 97: the same, and the counters of ten users, each with its new version
    "before_sign_in/sweep_deleted_tasks": 140,
    "before_sign_in/sweep_idempotency_keys": 64,
    "before_sign_in/sweep_batch_results": 64,
    "before_sign_in/sweep_sign_in_networks": 64,
    "before_sign_in/sweep_auth_events": 64,
    # 40 or so: ten rows of nine tables, each by an index, and on pages of their own
    "before_sign_in/overdue_rows": 96,
    # 75: ten counters as in hit_rate_limit
    "before_sign_in/sweep_rate_limits": 100,
    # 19: the event 5 and its entries in three indexes 6; users_pkey and users 4 for the statement, 4 for the
    # foreign key; when bounded, 5 more for the newest events of that network, which stand together
    "auth_events/record": 32,
    # 30: the same; and the user's sessions as in sessions/list, before
    "auth_events/record_for_session": 48,
    "before_sign_in/record_event": 40,
    # 32: of one user sessions_pkey 2, and 3 for each of five sessions; then an event as above, whose user is
    # looked at for the foreign key
    "before_sign_in/end_sessions": 48,
    # 82: the counter by rate_limits_pkey 3, its new version 3, its entries in two indexes 6; and 7 for each
    # of ten outdated counters: found by rate_limits_expires_at, locked, found by rate_limits_pkey, removed.
    # 12 more for each further network.
    "before_sign_in/hit_rate_limit": 132,
}
_MORE_BLOCKS |= {
    # 17: the account 5, its new version and entries in two indexes 12
    "before_sign_in/disable_user": 24,
    "before_sign_in/enable_user": 24,
    "users/reset_password": 24,
    # 14: the code 3, its new version 4 with entries in three indexes 7
    "before_sign_in/make_reset_code": 20,
    # 16: each of five sessions on a page of its own, found and removed
    "sessions/end_all": 24,
    # 14: the same for four API tokens
    "api_tokens/end_all": 20,
    "before_sign_in/end_api_tokens": 20,
    # 29: ten rows by the index over the times, found again and removed
    "before_sign_in/sweep_reset_codes": 48,
    "before_sign_in/sweep_invites": 48,
    # 12: the account 4 and its entries in two indexes 8
    "before_sign_in/add_user": 16,
    # 21: an account may stand on a page of its own
    "before_sign_in/list_users": 10 + PAGE_SIZE + 2,
    # 16: the code by reset_codes_by_hash, and its user
    "before_sign_in/find_reset_code": 20,
    # as auth_events/record, without a look at the user but for the foreign key
    "before_sign_in/record_by_operator": 32,
}
# What goes over all that a user has
_ALL_OF_A_USER = {"before_sign_in/delete_user", "before_sign_in/forget_events"}
# The new version of a row can't be beside the old one: the column that changes is indexed, or the page is
# full of accounts, which hardly ever change.
_MOVES = {
    "before_sign_in/lift_revisions",
    "before_sign_in/delete_account",
    "before_sign_in/make_reset_code",
    "before_sign_in/disable_user",
    "before_sign_in/enable_user",
    "users/change_email",
    "users/change_password",
    "users/reset_password",
}
_EVERY_ROW = {
    "before_sign_in/clear_rate_limits",
    "before_sign_in/delete_account",
    "before_sign_in/fullest_users",
    "before_sign_in/lift_revisions",
    "before_sign_in/users_without_counter",
}
# At most 50 sign-ins, 64 sessions of one, 100 networks and 100 new tasks are sorted; and the events of one
# moment. That is not worth an index. All tasks of a user are sorted once, for what has changed, and for
# orders whose index would end HOT updates.
_FEW_ROWS = {
    "api_tokens/list",
    "batches/answered",
    "batches/claim",
    "batches/create",
    "tasks/create_once",
    "sessions/list",
    "sessions/make_room",
    "sessions/trim",
    "sign_in_networks/make_room",
    "auth_events/newest",
    "auth_events/page",
    "tasks/number",
    "tasks/changes",
} | FILTERED_AND_SORTED
_OUT_OF_PLACE = {"sessions/end_soon"}  # it changes what an index has
# Entries that former runs left, which were rolled back
_LEFT = 20
# Where a plan evaluates an expression once, whatever it reads
_ONCE = ("One-Time Filter: ", "Index Cond: ")
# What a statement may find and leave, all of it the user's own
_FILTERS = {
    "idempotency_keys/delete_expired": (
        "(key = ANY (",  # PostgreSQL 15, of a user with few answers
        "(created_at <= (now() - '24:00:00'::interval))",
        "(created_at > (now() - '24:00:00'::interval))",
    ),
    **dict.fromkeys(
        (
            "sessions/end",
            "sessions/end_others",
            "sessions/end_soon",
            "sessions/list",
            "sessions/make_room",
            "sessions/renew",
            "sessions/trim",
            "auth_events/record_for_session",
        ),
        ("expires_at", "created_at", "COALESCE(sign_in_id, id)", "(id <> ", "(event = "),
    ),
    "auth_events/page": ("(ROW(occurred_at, id) < ROW(",),  # within the moment of the position
    "sign_in_networks/look": ("(seen_on >= ",),
    "sign_in_networks/see": ("(seen_on >= ",),
    "sign_in_networks/make_room": (
        "(NOT (ANY (network = ",
        "(NOT (hashed SubPlan",
        "(((network)::inet <> ",
        "((network)::inet <> ",
    ),
    "api_tokens/create": ("(expires_at > now())", "(event = "),
    "api_tokens/delete": ("(expires_at > now())", "(event = "),
    "api_tokens/delete_expired": ("(expires_at <= now())",),
    "api_tokens/list": ("(expires_at > now())",),
    "tasks/changes": ("((revision > ",),
    "tasks/number": ("(revision = 0)",),
    # under row security no index can find what they look for
    **dict.fromkeys(FILTERED, ("lower(title)",)),
    "batches/answered": ("(created_at > (now() - '24:00:00'::interval))",),
    "tasks/create_once": ("(bytes >= ", "(newest_first.bytes >= "),
    "auth_events/record": ("auth_event_room(",),
}


def most_blocks(measured: Measured) -> int | None:
    """How many blocks of tables and indexes a case may touch; None: as many as there are."""
    name = measured.case.statement.name
    if name in _EVERY_ROW | _ALL_OF_A_USER:
        return None
    if name in ("tasks/list", "tasks/page"):
        # each task may stand on a page of its own, and 100 entries of the index on one
        return BLOCKS + measured.rows + measured.rows // 100
    if name == "tasks/changes":
        # all tasks of the user; each deletion may stand on a page of its own
        tasks = measured.case.user.rows["tasks"]
        return BLOCKS + tasks + tasks // 50 + PAGE_SIZE
    if name in FILTERED:
        # all tasks of the user, or until the page is full
        tasks = measured.case.user.rows["tasks"]
        return BLOCKS + tasks + tasks // 50
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
    if measured.case.statement.name in _MOVES:
        return []
    return [
        f"the new version of a row of {name} is not beside the old one (HOT)"
        for name, touched in measured.touched.items()
        if touched.updated > touched.updated_in_place and measured.relations[name].by_user
        if measured.case.statement.name not in _OUT_OF_PLACE
    ]


def _blocks(measured: Measured) -> list[str]:
    limit = most_blocks(measured)
    if limit is None or measured.blocks <= limit:
        return []
    largest_first = sorted(measured.touched.items(), key=lambda one: -one[1].blocks)
    parts = ", ".join(f"{name} {one.blocks}" for name, one in largest_first if one.blocks)
    return [f"{measured.blocks} blocks instead of at most {limit}: {parts}"]
