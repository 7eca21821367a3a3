"""A batch with a key has statements of its own, which do what the single calls do and store the rows."""

import re

import pytest

from todo_api.database.statements import load_statements

STATEMENTS = load_statements()


def _words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("name", ["update", "complete", "delete"])
def test_a_statement_with_a_key_does_what_the_single_call_does(name):
    single = re.sub(r"^/\* \S+ \*/", "", STATEMENTS[f"tasks/{name}"].text)
    keyed = re.sub(r"^/\* \S+ \*/", "", STATEMENTS[f"batches/{name}"].text)
    what, _, answer = single.partition("\n)\n\nSELECT\n")
    kept_what, _, rest = keyed.partition("\n),\n\nanswered AS MATERIALIZED (\n")
    kept_answer, _, _ = rest.partition("\n),\n\nkept AS (\n")
    # Parameters are numbered in the order in which a statement names them, which is the same.
    assert _words(kept_what) == _words(what)
    # In a WITH the user's rows need not be picked out once more.
    picked = re.sub(r"(?:\w+\.)?user_id = \$\d+(?: AND )?", "", _words("SELECT " + answer))
    assert _words(kept_answer) == re.sub(r" WHERE(?= +UNION|\s*$)", "", picked).strip().replace(
        "  ", " "
    )
