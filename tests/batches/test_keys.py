import pytest
from support.batches import *

pytestmark = pytest.mark.contract


def test_k(ann):
    t = ann.add()
    ops = [
        create("a"),
        create("b", id=new_id()),
        update(t["id"], title="x", if_revision=0),
        update(t["id"], title="y"),
        complete(t["id"]),
        complete(new_id()),
        delete(t["id"]),
    ]
    H = {"headers": {"Idempotency-Key": "k"}}
    a = send(ann, *ops, **H)
    print(a.json)
    b = send(ann, *ops, **H)
    print(b.json, b.headers)
    assert a.json["data"] == b.json["data"]
