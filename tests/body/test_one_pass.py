"""A body that is read in one pass is one that the careful reader takes, with the same result."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from todo_api.accounts.api_token_schemas import ApiTokenCreate
from todo_api.accounts.schemas import Deletion, EmailChange, PasswordChange
from todo_api.auth.schemas import Credentials, Reset, SignUp
from todo_api.batches.schemas import Batch
from todo_api.body.careful import read_carefully
from todo_api.body.one_pass import read_at_once
from todo_api.tasks.schemas import TaskChange, TaskCreate
from todo_api.web.problems import Problem

KINDS = (
    TaskCreate, TaskChange, Batch, SignUp, Credentials, Reset,
    ApiTokenCreate, PasswordChange, EmailChange, Deletion,
)  # fmt: skip
FIELDS = sorted({name for kind in KINDS for name in kind.__struct_fields__} | {"op"})
ID = "5a0b7a52-9c84-4f0e-8f3c-6f1f1c0d9f10"


def written(text, escapes):
    """A JSON string, with some of its characters as \\uXXXX."""
    parts = []
    for number, character in enumerate(text):
        if ord(character) < 0x10000 and escapes[number % len(escapes)]:
            parts.append(f"\\u{ord(character):04x}")
        else:
            parts.append(json.dumps(character, ensure_ascii=False)[1:-1])
    return f'"{"".join(parts)}"'


texts = st.one_of(
    st.text(max_size=6),
    st.text('":,\\u0 \n{}[]', max_size=8),
    st.sampled_from([
        "x", ID, "2026-12-24", "2026-12-24T18:00:00+01:00", "ann@example.com", "correct horse battery",
        "\\u0022", '","title":"y', "\ud800", "read", "write",
    ]),
)  # fmt: skip
escapes = st.lists(st.booleans(), min_size=1, max_size=5)
strings = st.builds(written, texts, escapes)
literals = st.sampled_from(
    [
        "0", "1", "3", "4", "-0", "1.0", "1e0", "999999999999999999", "1000000000000000000", "9" * 400,
        "01", "NaN", "-Infinity", "true", "false", "null", '"', "\\", "\ufeff", "\x00", "\u00fc", "{}",
    ]
)  # fmt: skip
spaces = st.sampled_from(["", "", "", " ", "\n\t", "\x0b", ","])
ops = st.sampled_from(['"create"', '"update"', '"complete"', '"delete"'])


def arrays(values):
    return st.lists(values, max_size=3).map(lambda found: f"[{','.join(found)}]")


@st.composite
def objects(draw, values, names=tuple(FIELDS)):
    pairs = draw(st.lists(st.tuples(st.sampled_from(names), escapes, spaces, values), max_size=5))
    members = [f"{space}{written(name, some)}{space}:{value}" for name, some, space, value in pairs]
    return f"{{{','.join(members)}}}"


values = st.one_of(strings, strings, literals, arrays(strings), ops)
operations = st.builds(
    lambda op, rest: f'{{"op":{op}{"," if rest != "{}" else ""}{rest[1:]}', ops, objects(values)
)
bodies = st.one_of(
    objects(values),
    objects(values, ("title", "notes", "tags", "priority", "due_date", "due_at")),
    objects(values, ("title", "notes")),
    objects(values, ("email", "password")),
    operations,
    st.builds(lambda found: f'{{"operations":{found}}}', arrays(operations)),
)


@st.composite
def damaged(draw):
    """A body, sometimes with some of its bytes gone, doubled or replaced."""
    raw = draw(bodies).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 3)) == 0:
        start = draw(st.integers(0, len(raw)))
        end = draw(st.integers(start, min(len(raw), start + 12)))
        raw = raw[:start] + draw(st.sampled_from([b"", raw[start:end] * 2])) + raw[end:]
    if draw(st.integers(0, 9)) == 0:
        place = draw(st.integers(0, len(raw)))
        raw = raw[:place] + draw(st.binary(max_size=2)) + raw[place + 1 :]
    return raw


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(raw=damaged())
def test_one_pass_takes_nothing_that_the_careful_reader_refuses_and_reads_the_same(raw):
    for kind in KINDS:
        found = read_at_once(raw, kind)
        if found is not None:
            assert found == read_carefully(raw, kind)


TWICE = [
    '{"title": "x", "title": "x"}',
    '{"title": "x", "\\u0074itle": "x"}',
    '{"title" : "x" , "title" : "x"}',
    '{"title": "x", "priority": 1, "priority": 1}',
    '{"title": "x", "tags": [], "tags": []}',
    '{"title": "x", "notes": null, "notes": null}',
    '{"title": "a\\"b", "title": "a\\"b"}',
    '{"title": "x", "title": "a\\u0022b"}',
    # as many quotes as its one title has: two of the name, two of the value, four within it
    '{"title": "", "title": "\\u0022\\u0022\\u0022\\u0022"}',
    '{"title": "\\"\\"", "title": "\\u0022\\u0022\\u0022\\u0022\\u0022\\u0022"}',
]


@pytest.mark.parametrize("body", TWICE)
def test_a_key_that_comes_twice_is_left_to_the_careful_reader(body):
    assert read_at_once(body.encode(), TaskCreate) is None
    with pytest.raises(Problem):
        read_carefully(body.encode(), TaskCreate)


@pytest.mark.parametrize("member", ['"op":"create"', '"title":"x"', '"id":null'])
def test_a_key_that_comes_twice_in_an_operation_is_left_to_the_careful_reader(member):
    body = f'{{"operations":[{{"op":"create","title":"x",{member}}}]}}'
    assert read_at_once(body.encode(), Batch) is None


USUAL = {
    TaskCreate: {"title": "Buy “oat” milk", "notes": 'a\n"b"\\', "priority": 1, "tags": ["ü", "x"]},
    TaskChange: {"title": " x ", "notes": None, "is_completed": True, "if_revision": 7, "priority": 2},
    Credentials: {"email": "ann@example.com", "password": "correct horse battery"},
    Batch: {
        "operations": [
            {"op": "create", "title": "x", "due_at": "2026-12-24T18:00:00+01:00"},
            {"op": "update", "id": ID.upper(), "tags": ["a", "A"]},
            {"op": "complete", "id": ID},
            {"op": "delete", "id": ID, "if_revision": 1},
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("kind", USUAL, ids=lambda kind: kind.__name__)
def test_the_usual_bodies_need_one_pass(kind, ascii_only):
    raw = json.dumps(USUAL[kind], ensure_ascii=ascii_only, indent=1).encode()
    found = read_at_once(raw, kind)
    assert found is not None
    assert found == read_carefully(raw, kind)


def test_a_default_that_was_not_sent_hides_no_key_that_comes_twice():
    body = b'{"name": "x", "name": "x", "scope": "read"}'
    assert read_at_once(body, ApiTokenCreate) is None
