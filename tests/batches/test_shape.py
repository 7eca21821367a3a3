"""A batch of the wrong shape is 422 as a whole: each wrong member is named, and nothing is done."""

import json
import time
import uuid
from typing import Any

import pytest

from support.accounts import Account
from support.batches import complete, create, delete, send, update

pytestmark = pytest.mark.contract
KIB = 1024


def fields(who: Account, *operations: Any) -> list[str]:
    """What is named as wrong, in order; nothing may have been done."""
    before = who.get(who.tasks).json
    answer = send(who, *operations)
    assert (answer.status_code, answer.json["code"]) == (422, "validation-error"), answer.text
    after = who.get(who.tasks).json
    assert (after["data"], after["meta"]["revision"]) == (
        before["data"],
        before["meta"]["revision"],
    )
    assert all(error.keys() == {"field", "message"} for error in answer.json["errors"])
    return [error["field"] for error in answer.json["errors"]]


def raw(who: Account, body: Any) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return who.post(f"{who.tasks}/batch", data=data, content_type="application/json")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, ["operations"]),
        ([], [""]),
        (None, [""]),
        ("x", [""]),
        ({"operations": None}, ["operations"]),
        ({"operations": {}}, ["operations"]),
        ({"operations": "create"}, ["operations"]),
        ({"operations": 1}, ["operations"]),
        ({"operations": []}, ["operations"]),
        ({"operations": [{"op": "delete", "id": str(uuid.UUID(int=1))}] * 101}, ["operations"]),
        ({"operations": [{}] * 101, "x": 1}, ["x", "operations"]),
        ({"Operations": [], "operations": [1]}, ["Operations", "operations[0]"]),
    ],
)
def test_the_body_itself(ann, body, named):
    answer = raw(ann, body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == named


@pytest.mark.parametrize("wrong", [None, 1, "create", [], [{}], True, 1.5])
def test_an_operation_that_is_no_object_is_named(ann, wrong):
    assert fields(ann, create(), wrong, create()) == ["operations[1]"]


@pytest.mark.parametrize(
    "op", [None, 1, "", "Create", "created", "put", [], {}, True, ["create"], "\ud800"]
)
def test_an_unknown_op_is_named(ann, op):
    assert fields(ann, create(), {"op": op, "title": 1, "x": 1}) == ["operations[1].op"]


def test_a_missing_op_is_named(ann):
    assert fields(ann, {"title": "x"}, {}) == ["operations[0].op", "operations[1].op"]


def test_every_wrong_member_of_every_operation_is_named(ann):
    task = ann.add()
    assert fields(
        ann,
        create("good"),
        {"op": "create", "title": " ", "notes": 1, "due_date": "2026-02-30", "x": 1, "y": None},
        update(task["id"], title=None, if_revision=None, is_completed=None, priority=4),
        {"op": "update", "title": "x"},
        complete("x"),
        {"op": "complete", "id": None, "title": "x"},
        delete(task["id"], if_revision=-1, op2=1),
        {"op": "delete"},
        create(due_date="2026-12-24", due_at="2026-12-24T18:00:00Z"),
        create(tags=["a", 1], id="x", priority="1", due_at="2026-12-24"),
    ) == [
        "operations[1].x",
        "operations[1].y",
        "operations[1].title",
        "operations[1].notes",
        "operations[1].due_date",
        "operations[2].title",
        "operations[2].priority",
        "operations[2].is_completed",
        "operations[2].if_revision",
        "operations[3].id",
        "operations[4].id",
        "operations[5].title",
        "operations[5].id",
        "operations[6].op2",
        "operations[6].if_revision",
        "operations[7].id",
        "operations[8].due_date",
        "operations[8].due_at",
        "operations[9].due_at",
        "operations[9].priority",
        "operations[9].tags",
        "operations[9].id",
    ]


@pytest.mark.parametrize(
    ("operation", "field"),
    [
        ({"op": "create", "title": "x", "is_completed": True}, "is_completed"),
        ({"op": "create", "title": "x", "if_revision": 1}, "if_revision"),
        ({"op": "create"}, "title"),
        ({"op": "create", "title": "x", "id": None}, "id"),
        ({"op": "update", "id": str(uuid.UUID(int=1)), "revision": 1}, "revision"),
        ({"op": "complete", "id": str(uuid.UUID(int=1)), "if_revision": 1}, "if_revision"),
        ({"op": "complete"}, "id"),
        ({"op": "delete", "id": str(uuid.UUID(int=1)), "title": "x"}, "title"),
        ({"op": "delete", "id": str(uuid.UUID(int=1)), "if_revision": None}, "if_revision"),
        ({"op": "delete", "id": str(uuid.UUID(int=1)), "if_revision": 10**18}, "if_revision"),
        ({"op": "delete", "id": str(uuid.UUID(int=1)), "if_revision": 1.5}, "if_revision"),
        ({"op": "delete", "id": uuid.UUID(int=1).hex}, "id"),
        ({"op": "update", "id": "{" + str(uuid.UUID(int=1)) + "}"}, "id"),
        ({"op": "update", "id": "batch"}, "id"),
        ({"op": "create", "title": "\ud800"}, "title"),
        ({"op": "create", "title": "x", "notes": "\x00"}, "notes"),
        ({"op": "create", "title": "x" * 501}, "title"),
    ],
)
def test_members_are_those_of_the_single_call(ann, operation, field):
    assert fields(ann, operation) == [f"operations[0].{field}"]


def test_a_lone_surrogate_in_a_name_is_replaced(ann):
    assert fields(ann, create() | {"\ud800": 1}) == ["operations[0].?"]


def test_whole_numbers_are_written_in_digits(ann):
    task = ann.add()
    answer = raw(
        ann,
        b'{"operations": [{"op": "create", "title": "x", "priority": 2.0},'
        + json.dumps(delete(task["id"])).encode()[:-1]
        + b', "if_revision": 1.0}]}',
    )
    named = [error["field"] for error in answer.json["errors"]]
    assert (answer.status_code, named) == (
        422,
        ["operations[0].priority", "operations[1].if_revision"],
    )


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"operations": [], "operations": []}', 400),
        (b'{"operations": [{"op": "create", "op": "create"}]}', 400),
        (b'{"operations": [{"op": "create", "title": "x", "priority": NaN}]}', 400),
        (b'\xef\xbb\xbf{"operations": []}', 400),
        (b'{"operations": ["\xff"]}', 400),
        (b"[" * 100_000 + b"]" * 100_000, 400),
        (b'{"operations": ' + b"[" * 2000 + b"]" * 2000 + b"}", 400),
    ],
)
def test_what_is_not_json_is_400(ann, body, status):
    assert raw(ann, body).status_code == status


def test_a_media_type_other_than_json_is_415(ann):
    body = json.dumps({"operations": [create()]})
    for kind in ("text/plain", "application/merge-patch+json", "application/json; charset=latin-1"):
        answer = ann.post(f"{ann.tasks}/batch", data=body, content_type=kind)
        assert answer.status_code == 415


def test_a_body_of_512_kib_is_taken_and_one_byte_more_is_413(ann):
    body = json.dumps({"operations": [create(notes="ä" * 1500)] * 80}, ensure_ascii=False).encode()
    assert 64 * KIB < len(body) < 512 * KIB
    exact = body + b" " * (512 * KIB - len(body))
    answer = raw(ann, exact)
    assert answer.status_code == 200
    assert [result["status"] for result in answer.json["data"]] == [201] * 80
    answer = raw(ann, exact + b" ")
    assert (answer.status_code, answer.json["code"]) == (413, "payload-too-large")
    assert len(ann.get(ann.tasks).json["data"]) == 80


def test_every_other_call_stays_at_64_kib(ann):
    body = json.dumps({"title": "x"}).encode()
    exact = body + b" " * (64 * KIB - len(body))
    task = ann.add()
    for method, path in (("POST", ann.tasks), ("PUT", ann.path_of(task))):
        for data, expected in ((exact, (200, 201)), (exact + b" ", (413,))):
            answer = ann.call(method, path, data=data, content_type="application/json")
            assert answer.status_code in expected


HOSTILE = {
    "unknown members": lambda: (
        b'{"operations":[{"op":"create",'
        + b",".join(b'"%x":1' % number for number in range(50_000))
        + b"}]}"
    ),
    "members of every operation": lambda: (
        b'{"operations":['
        + b",".join(
            b'{"op":"create",' + b",".join(b'"%x":1' % number for number in range(450)) + b"}"
            for _ in range(100)
        )
        + b"]}"
    ),
    "empty objects": lambda: b'{"operations":[' + b"{}," * 170_000 + b"{}]}",
    "empty arrays": lambda: b'{"operations":[' + b"[]," * 170_000 + b"[]]}",
    "numbers": lambda: b'{"operations":[' + b"1," * 250_000 + b"1]}",
    "long number": lambda: b'{"operations":[' + b"1" * 500_000 + b"]}",
    "long fraction": lambda: b'{"operations":[1.' + b"1" * 500_000 + b"]}",
    "long exponent": lambda: b'{"operations":[1e' + b"1" * 500_000 + b"]}",
    "escapes": lambda: b'{"operations":["' + b"\\u00e9" * 80_000 + b'"]}',
    "long name": lambda: b'{"' + b"x" * 500_000 + b'":1}',
    "long op": lambda: b'{"operations":[{"op":"' + b"x" * 500_000 + b'"}]}',
    "long titles": lambda: json.dumps(
        {"operations": [create("\u0301" * 5000) for _ in range(15)]}
    ).encode(),
    "tags": lambda: json.dumps({"operations": [create(tags=["x"] * 1000)] * 100}).encode(),
    "nested": lambda: b'{"operations":' + b'[{"a":' * 400 + b"1" + b"}]" * 400 + b"}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bodies_are_refused_soon_with_a_bounded_answer(ann, name):
    body = HOSTILE[name]()
    assert len(body) <= 512 * KIB
    ann.get(ann.tasks)
    began = time.process_time()
    answer = raw(ann, body)
    spent = time.process_time() - began
    assert answer.status_code in (400, 422)
    assert spent < 1.5
    assert len(answer.data) < 2_000_000


def test_more_than_ten_thousand_problems_are_counted_and_not_named(ann):
    members = {f"{number:x}": 1 for number in range(20_000)}
    named = fields(ann, {"op": "create", "title": "x", **members})
    assert len(named) == 10_001
    assert named[0] == "operations[0].0"
    errors = send(ann, {"op": "create", "title": "x", **members}).json["errors"]
    assert errors[-1] == {"field": "", "message": "has 10000 more problems"}


def test_ids_of_any_version_and_letter_case_are_ids(ann):
    for one in ("00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"):
        answer = send(ann, create(id=one), complete(one), delete(one.lower()))
        assert [result["status"] for result in answer.json["data"]] == [201, 200, 204]
        assert answer.json["data"][0]["task"]["id"] == one.lower()
