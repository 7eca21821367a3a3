"""Filters and orders of the list, against a model of the contract in Python over random tasks."""

import random
from functools import cache
from typing import Any

import pytest

from support.accounts import Account

pytestmark = pytest.mark.contract

TITLES = [
    "milk", "Milk", "MILK", "milk and bread", "Äpfel", "äpfel", "ÄPFEL", "straße", "STRASSE", "50% off",
    "50 percent off", "a_b", "a-b", "C:\\temp", "C:/temp", "İstanbul", "istanbul", "ístanbul", "Ω", "ω", "🥛",
    "Z", "_", "%", "'; --", "z" * 500, "\U0001f95b" * 500,
]  # fmt: skip
NOTES = [
    None,
    None,
    "MILK from the shop",
    "100%",
    "under_score",
    "back\\slash",
    "Äpfel\nund Birnen",
    "tab\there",
]
TAGS = [
    "home",
    "HOME",
    "Äste",
    "äste",
    "straße",
    "STRASSE",
    "ΟΔΟΣ",
    "οδος",
    "İ",
    "i",
    "a%b",
    "a_b",
    "a b",
]
DAYS = ["2026-03-09", "2026-03-10", "2026-03-11", "1970-01-01", "9999-12-31"]
MOMENTS = [
    "2026-03-09 23:59:59.999999+00", "2026-03-10 00:00:00+00", "2026-03-10 00:00:00.000001+00",
    "2026-03-10 23:59:59.999999+00", "2026-03-11 00:00:00+00", "1970-01-01 00:00:00+00",
    "9999-12-31 23:59:59.999999+00",
]  # fmt: skip
CREATED = [f"2026-01-0{day} 12:00:00.5+00" for day in (1, 2, 3)]
QUERIES = [
    "milk", "MILK", "ilk a", "%", "_", "\\", "50%", "0% o", "a_b", "äPF", "ÄPFEL", "ss", "ß", "i", "İ", "ω",
    " ", "🥛", "'", "z" * 100, "nowhere", "tab", "p:",
]  # fmt: skip
SORTS = ["-created_at", "created_at", "-updated_at", "due", "-priority", "title"]
Task = dict[str, Any]


@pytest.fixture
def small(superuser):
    """A text in small letters, as the database's locale knows them."""

    @cache
    def lower(text: str) -> str:
        return superuser.execute("SELECT lower(%s::text)", [text]).fetchall()[0][0]

    return lower


def fill(account: Account, superuser: Any, chance: random.Random, count: int) -> list[Task]:
    """Gives the user so many tasks with many ties; returns them as the list has them."""
    for _ in range(count):
        kind = chance.choice(["never", "day", "moment"])
        values = {
            "user_id": account.id,
            "title": chance.choice(TITLES),
            "notes": chance.choice(NOTES),
            "due_date": chance.choice(DAYS) if kind == "day" else None,
            "due_at": chance.choice(MOMENTS) if kind == "moment" else None,
            "priority": chance.randint(0, 3),
            "tags": chance.sample(TAGS, chance.choice([0, 1, 2, 5])),
            "completed_at": chance.choice([None, "2026-02-01 00:00:00+00"]),
            "created_at": chance.choice(CREATED),
            "updated_at": chance.choice(CREATED),
        }
        superuser.execute(
            f"INSERT INTO tasks ({', '.join(values)})"
            f" VALUES ({', '.join(f'%({name})s' for name in values)})",
            values,
        )
    return account.get(account.tasks).json["data"]


def some_filters(chance: random.Random) -> dict[str, str]:
    every = {
        "is_completed": ["true", "false"],
        "q": QUERIES,
        "tag": [*TAGS, " home ", "nobody", "hom"],
        "min_priority": ["1", "2", "3"],
        "due_from": DAYS,
        "due_to": DAYS,
    }
    return {name: chance.choice(values) for name, values in every.items() if chance.random() < 0.25}


def due_day(task: Task) -> str:
    """The day on which a task is due; "" without one."""
    return task["due_date"] or (task["due_at"] or "")[:10]


def due_moment(task: Task) -> tuple[bool, str]:
    """What is not due comes last."""
    return not due_day(task), task["due_at"] or f"{task['due_date']}T00:00:00.000000Z"


def matches(task: Task, wanted: dict[str, str], small: Any) -> bool:
    texts = [small(task["title"]), small(task["notes"] or "")]
    judged = {
        "is_completed": lambda text: task["is_completed"] == (text == "true"),
        "q": lambda text: any(small(text) in one for one in texts),
        "tag": lambda text: text.strip().casefold() in [one.casefold() for one in task["tags"]],
        "min_priority": lambda text: task["priority"] >= int(text),
        "due_from": lambda text: due_day(task) >= text,
        "due_to": lambda text: "" < due_day(task) <= text,
    }
    return all(judged[name](text) for name, text in wanted.items())


def in_order(tasks: list[Task], sort: str, small: Any) -> list[Task]:
    keys = {
        "created_at": lambda task: task["created_at"],
        "updated_at": lambda task: task["updated_at"],
        "due": due_moment,
        "priority": lambda task: task["priority"],
        "title": lambda task: small(task["title"]),
    }
    key = keys[sort.removeprefix("-")]
    return sorted(tasks, key=lambda task: (key(task), task["id"]), reverse=sort.startswith("-"))


def pages(account: Account, query: dict[str, str], limit: int) -> list[list[Task]]:
    """The data of every page, each found by the Link of the one before."""
    found = []
    answer = account.get(account.tasks, query_string=query | {"limit": limit})
    while True:
        assert answer.status_code == 200, answer.text
        found.append(answer.json["data"])
        assert len(found) <= 100, "the pages have no end"
        if answer.json["meta"]["next_cursor"] is None:
            assert "Link" not in answer.headers
            return found
        answer = account.get(answer.headers["Link"].removeprefix("<").removesuffix('>; rel="next"'))


def flat(found: list[list[Task]]) -> list[Task]:
    return [task for page in found for task in page]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_list_is_what_the_model_says(ann, bob, superuser, small, seed):
    chance = random.Random(seed)
    fill(bob, superuser, chance, 10)
    tasks = fill(ann, superuser, chance, 60)
    for number in range(48):
        sort = SORTS[number % len(SORTS)]
        wanted = {} if number < len(SORTS) else some_filters(chance)
        query = wanted if sort == "-created_at" and number % 12 else wanted | {"sort": sort}
        expected = in_order([one for one in tasks if matches(one, wanted, small)], sort, small)
        whole = ann.get(ann.tasks, query_string=query)
        assert whole.json["data"] == expected, query
        assert whole.json["meta"].keys() == {"timestamp", "request_id", "count", "revision"}
        assert whole.json["meta"]["count"] == len(expected)
        limit = chance.choice([1, 2, 3, 7, 59, 60, 1000])
        found = pages(ann, query, limit)
        assert flat(found) == expected, (query, limit)
        assert all(len(page) == limit for page in found[:-1])


def change_something(
    account: Account, chance: random.Random, task: Task, wanted: dict[str, str]
) -> None:
    """Delete a task, or change what the order or the filters look at."""
    path = account.path_of(task)
    change = {
        "title": chance.choice(TITLES),
        "priority": chance.randint(0, 3),
        "due_date": chance.choice([None, *DAYS]),
        "is_completed": chance.choice([True, False]),
    }
    kind = chance.choice(["delete", *change])
    answer = (
        account.delete(path)
        if kind == "delete"
        else account.put(path, json={kind: change[kind], "notes": chance.choice(NOTES)})
    )
    assert answer.status_code in (200, 204, 404), answer.text


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("wanted", [{}, {"q": "i"}, {"min_priority": "1", "is_completed": "false"}])
def test_walking_finds_what_matched_and_was_not_changed_once_whatever_others_write(
    ann, superuser, small, sort, wanted
):
    chance = random.Random(f"{sort} {wanted}")
    there = fill(ann, superuser, chance, 50)
    all_along = {one["id"] for one in there if matches(one, wanted, small)}
    found: list[Task] = []
    answer = ann.get(ann.tasks, query_string=wanted | {"sort": sort, "limit": 3})
    while True:
        found += answer.json["data"]
        assert len(found) <= 1000, "the pages have no end"
        for _ in range(chance.randint(0, 2)):
            # the one that the page ended with is the likeliest to be missed
            last = found[-1:] if chance.random() < 0.5 else []
            task = chance.choice(last or there)
            change_something(ann, chance, task, wanted)
            all_along.discard(task["id"])
            body = {"title": chance.choice(TITLES), "priority": chance.randint(0, 3)}
            assert ann.post(ann.tasks, json=body).status_code == 201
        if answer.json["meta"]["next_cursor"] is None:
            break
        # a walk may go on with another limit
        following = wanted | {"sort": sort, "limit": chance.randint(1, 5)}
        cursor = answer.json["meta"]["next_cursor"]
        answer = ann.get(ann.tasks, query_string=following | {"cursor": cursor})
        assert answer.status_code == 200, answer.text
    unchanged = [one for one in found if one["id"] in all_along]
    assert len({one["id"] for one in unchanged}) == len(unchanged) == len(all_along)
    assert unchanged == in_order(unchanged, sort, small)


@pytest.mark.parametrize("sort", SORTS)
def test_ties_are_broken_by_id(ann, superuser, sort):
    superuser.execute(
        "INSERT INTO tasks (user_id, title, created_at, updated_at)"
        " SELECT %s, 'same', '2026-01-01 00:00:00+00', '2026-01-01 00:00:00+00' FROM generate_series(1, 9)",
        [ann.id],
    )
    ids = [one["id"] for one in ann.get(ann.tasks, query_string={"sort": sort}).json["data"]]
    assert ids == sorted(ids, reverse=sort.startswith("-"))
    assert [one["id"] for one in flat(pages(ann, {"sort": sort}, 2))] == ids
