"""The fields of a task beside its title: API.md, "Fields"."""

import json
import re

import pytest

pytestmark = pytest.mark.contract
EVERYTHING = {
    "title": "Buy oat milk",
    "notes": "The one in the\tblue carton\n",
    "due_date": "2026-12-24",
    "priority": 3,
    "tags": ["shopping", "Früh"],
}


def create(account, **fields):
    return account.post(account.tasks, json={"title": "x"} | fields)


def wrong(answer):
    assert (answer.status_code, answer.json["code"]) == (422, "validation-error"), answer.text
    return [error["field"] for error in answer.json["errors"]]


def both(account, **fields):
    """What a field is after a create and after a change; both have to be answered alike everywhere."""
    made = create(account, **fields)
    assert made.status_code == 201, made.text
    task = account.add()
    changed = account.put(account.path_of(task), json=fields)
    assert changed.status_code == 200, changed.text
    [name] = fields
    for answer in (made, changed):
        path = account.path_of(answer.json["data"])
        assert account.get(path).json["data"] == answer.json["data"]
    assert made.json["data"][name] == changed.json["data"][name]
    return made.json["data"][name]


def refused(account, **fields):
    """Which fields are named when these are refused, by create and change alike."""
    task = account.add()
    named = wrong(create(account, **fields))
    for method in ("PUT", "PATCH"):
        assert wrong(account.call(method, account.path_of(task), json=fields)) == named
    assert account.get(account.path_of(task)).json["data"] == task
    return named


def test_a_task_has_what_was_sent_everywhere(ann):
    answer = ann.post(ann.tasks, json=EVERYTHING)
    assert answer.status_code == 201
    task = answer.json["data"]
    assert {name: task[name] for name in EVERYTHING} == EVERYTHING
    assert ann.get(ann.path_of(task)).json["data"] == task
    assert ann.get(ann.tasks).json["data"] == ann.get(f"{ann.tasks}?limit=1").json["data"] == [task]
    done = ann.patch(f"{ann.path_of(task)}/complete").json["data"]
    assert {name: done[name] for name in EVERYTHING} == EVERYTHING


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("x" * 4000, "x" * 4000),
        ("\U0001f600" * 4000, "\U0001f600" * 4000),
        ("\r\n" * 3998 + "xy", "\n" * 3998 + "xy"),
        ("a\r\nb\rc\nd\te", "a\nb\nc\nd\te"),
        ("  kept as sent  ", "  kept as sent  "),
        ("a\u2028b\u202ec", "a\u2028b\u202ec"),
        ("", None),
        (" \t\r\n\u3000", None),
        (None, None),
    ],
)
def test_notes_come_back_as_sent_but_for_line_ends(ann, sent, kept):
    assert both(ann, notes=sent) == kept


@pytest.mark.parametrize(
    "notes",
    ["x" * 4001, "\U0001f600" * 4001, "a\x00b", "a\x0bb", "a\x0cb", "\x7f", "\x9f", "\x85", "\ud800", 1, [],
     True],
)  # fmt: skip
def test_other_notes_are_422(ann, notes):
    assert refused(ann, notes=notes) == ["notes"]


@pytest.mark.parametrize("day", ["1970-01-01", "2024-02-29", "9999-12-31", None])
def test_a_due_date_is_kept_as_it_is(ann, day):
    assert both(ann, due_date=day) == day


@pytest.mark.parametrize(
    "day",
    ["1969-12-31", "0000-01-01", "10000-01-01", "2023-02-29", "2026-13-01", "2026-12-32", "2026-12-24 ", "",
     "2026-1-2", "20261224", "2026-W52-4", "2026-358", "2026-12-24T00:00:00Z",
     "\u0662\u0660\u0662\u0666-12-24", 20261224, True],
)  # fmt: skip
def test_another_due_date_is_422(ann, day):
    assert refused(ann, due_date=day) == ["due_date"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2026-12-24T18:00:00Z", "2026-12-24T18:00:00.000000Z"),
        ("2026-12-24t18:00:00z", "2026-12-24T18:00:00.000000Z"),
        ("2026-12-24T18:00:00+01:00", "2026-12-24T17:00:00.000000Z"),
        ("2026-12-24T18:00:00.5-23:59", "2026-12-25T17:59:00.500000Z"),
        ("2026-12-24T18:00:00-00:00", "2026-12-24T18:00:00.000000Z"),
        ("2026-12-24T18:00:00.123456789Z", "2026-12-24T18:00:00.123456Z"),
        ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.999999Z"),
        ("1969-12-31T23:30:00-00:30", "1970-01-01T00:00:00.000000Z"),
        (None, None),
    ],
)
def test_a_due_moment_is_answered_in_utc(ann, sent, kept):
    assert both(ann, due_at=sent) == kept
    schema = ann.get("/openapi.json").json["components"]["schemas"]["TaskCreate"]
    published = next(one for one in schema["properties"]["due_at"]["anyOf"] if "pattern" in one)
    assert sent is None or re.search(published["pattern"], sent)


@pytest.mark.parametrize(
    "moment",
    ["2026-12-24", "2026-12-24T18:00Z", "2026-12-24T18:00:00", "2026-12-24 18:00:00Z",
     "2026-12-24T18:00:00+0100",
     "2026-12-24T18:00:00+01", "2026-12-24T18:00:00+24:00", "2026-12-24T18:00:00+01:60",
     "2026-12-24T24:00:00Z",
     "2026-12-24T18:60:00Z", "2016-12-31T23:59:60Z", "2026-12-24T18:00:00.Z", "2026-12-24T18:00:00,5Z",
     "2026-02-30T18:00:00Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
     "0001-01-01T00:00:00+23:59", "2026-12-24T18:00:00Z\n", " 2026-12-24T18:00:00Z", "infinity", "now", "", 0,
     "2026-12-24T18:00:00.\u0665Z"],
)  # fmt: skip
def test_another_due_moment_is_422(ann, moment):
    assert refused(ann, due_at=moment) == ["due_at"]


def test_one_of_the_two_due_fields_clears_the_other(ann):
    path = ann.path_of(ann.add())

    def due(**change):
        task = ann.put(path, json=change).json["data"]
        return task["due_date"], task["due_at"]

    moment = "2026-12-24T18:00:00.000000Z"
    assert due(due_date="2026-12-24") == ("2026-12-24", None)
    assert due(due_at=moment) == (None, moment)
    assert due(due_date=None) == (None, moment)
    assert due(due_date="2026-12-25", due_at=None) == ("2026-12-25", None)
    assert due(due_at=None) == ("2026-12-25", None)
    assert due(due_at=moment, due_date=None) == (None, moment)
    assert due(due_at=None, due_date=None) == (None, None)
    assert create(ann, due_date=None, due_at=moment).json["data"]["due_at"] == moment


def test_both_due_fields_in_one_body_are_422_beside_all_else_that_is_wrong(ann):
    due = {"due_date": "2026-12-24", "due_at": "2026-12-24T18:00:00Z"}
    assert refused(ann, **due) == ["due_date", "due_at"]
    assert sorted(refused(ann, **due, priority=4)) == ["due_at", "due_date", "priority"]


@pytest.mark.parametrize("priority", [0, 1, 2, 3])
def test_a_priority_is_kept(ann, priority):
    assert both(ann, priority=priority) == priority


@pytest.mark.parametrize(
    "raw",
    [
        "-1",
        "4",
        "1.5",
        "2.0",
        "1e0",
        "1e-1",
        "true",
        '"1"',
        "[]",
        "9" * 400,
        "-" + "9" * 400,
        "1e999",
    ],
)
def test_another_priority_is_422(ann, raw):
    body = '{"title": "x", "priority": %s}' % raw  # noqa: UP031
    answer = ann.post(ann.tasks, data=body, content_type="application/json")
    assert wrong(answer) == ["priority"]
    assert answer.json["errors"][0]["message"] == "must be a whole number from 0 to 3 or null"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (["b", "a"], ["b", "a"]),
        (["  a \t", "x" * 50, "\U0001f600" * 50], ["a", "x" * 50, "\U0001f600" * 50]),
        (["Straße", "STRASSE", "ÄPFEL", "äpfel", "a", "A"], ["Straße", "ÄPFEL", "a"]),
        ([str(number) for number in range(20)], [str(number) for number in range(20)]),
        (['"', "\\", "{}", "NULL", "a b", "'", "%s"], ['"', "\\", "{}", "NULL", "a b", "'", "%s"]),
        ([], []),
        (None, []),
    ],
)
def test_tags_are_trimmed_and_kept_in_their_order_without_doubles(ann, sent, kept):
    assert both(ann, tags=sent) == kept


@pytest.mark.parametrize(
    ("one", "other"),
    [("Straße", "STRASSE"), ("ÄPFEL", "äpfel"), ("ﬁx", "fix"), ("İstanbul", "i\u0307stanbul"), ("ς", "Σ"),
     ("K", "k"), ("ẞ", "ss"), ("\u0149", "\u02bcn"), ("ΐ", "Ϊ́"), ("µ", "μ"), ("Ǆ", "ǆ"), ("i", "I"),
     ("\u0131", "I")],
)  # fmt: skip
def test_two_tags_are_one_where_the_filter_finds_one_by_the_other(ann, one, other):
    kept = both(ann, tags=[one, other])
    alone = ann.post(ann.tasks, json={"title": "alone", "tags": [one]}).json["data"]["id"]
    found = ann.get(ann.tasks, query_string={"tag": other}).json["data"]
    assert (len(kept) == 1) == (alone in {task["id"] for task in found})


@pytest.mark.parametrize(
    "tags",
    [[""], [" "], ["x" * 51], ["a,b"], [","], ["a\nb"], ["\x00"], ["\ud800"], ["\u200b"], ["a", 1], [None],
     "a", {"a": 1}, 1, [["a"]], [str(number) for number in range(21)]],
)  # fmt: skip
def test_other_tags_are_422(ann, tags):
    assert refused(ann, tags=tags) == ["tags"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_null_clears_and_what_is_absent_stays(ann, method):
    task = ann.post(ann.tasks, json=EVERYTHING).json["data"]
    cleared = {"notes": None, "due_date": None, "priority": 0, "tags": []}
    for name, value in cleared.items():
        changed = ann.call(method, ann.path_of(task), json={name: None}).json["data"]
        moved = {"updated_at": changed["updated_at"], "revision": task["revision"] + 1}
        assert changed == task | {name: value} | moved
        task = changed
        again = ann.call(method, ann.path_of(task), json={name: None}).json["data"]
        assert again == task


@pytest.mark.parametrize("name", ["title", "is_completed", "if_revision"])
def test_null_is_422_where_nothing_can_be_cleared(ann, name):
    task = ann.add()
    assert wrong(ann.put(ann.path_of(task), json={name: None})) == [name]


def test_null_is_422_for_title_and_id_of_a_new_task(ann):
    assert wrong(ann.post(ann.tasks, json={"title": None, "id": None})) == ["title", "id"]


@pytest.mark.parametrize(
    "name", ["revision", "completed_at", "user_id", "text_bytes", "Notes", "is_completed"]
)
def test_no_other_field_can_be_set_at_creation(ann, name):
    assert wrong(create(ann, **{name: 1})) == [name]


def test_each_change_can_be_made_beside_others(ann):
    path = ann.path_of(ann.add())
    everything = EVERYTHING | {"is_completed": True}
    task = ann.patch(path, json=everything).json["data"]
    assert {name: task[name] for name in everything} == everything
    assert task["revision"] == 2
    assert ann.patch(path, json=everything).json["data"] == task


def test_bodies_of_before_go_on_working(ann):
    task = ann.post(ann.tasks, json=EVERYTHING).json["data"]
    renamed = ann.put(ann.path_of(task), json={"title": "Buy bread", "is_completed": True}).json[
        "data"
    ]
    kept = ("notes", "due_date", "due_at", "priority", "tags")
    assert {name: renamed[name] for name in kept} == {name: task[name] for name in kept}


@pytest.mark.parametrize("text", ["x" * 60_000, "\u0301" * 10_000, "\r" * 30_000, ", " * 30_000])
def test_long_texts_are_refused_before_they_cost_anything(ann, text):
    for fields in (
        {"notes": text},
        {"tags": [text]},
        {"due_at": text},
        {"due_date": text},
        {"id": text},
    ):
        body = json.dumps({"title": "x"} | fields, ensure_ascii=False)
        answer = ann.post(ann.tasks, data=body.encode(), content_type="application/json")
        if fields != {"notes": "\r" * 30_000}:
            assert wrong(answer) == list(fields)
