"""What each filter takes and finds: API.md, "Filters and order"."""

import pytest

pytestmark = pytest.mark.contract

EVERY = {
    "is_completed": "true",
    "q": "milk",
    "tag": "home",
    "min_priority": "2",
    "due_from": "2026-03-10",
    "due_to": "2026-03-10",
    "sort": "due",
}


def add(account, title="Buy milk", **fields):
    answer = account.post(account.tasks, json={"title": title, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json["data"]


def found(account, **query):
    answer = account.get(account.tasks, query_string=query)
    assert answer.status_code == 200, answer.text
    return [task["title"] for task in answer.json["data"]]


def refused(answer):
    assert (answer.status_code, answer.json["code"]) == (422, "validation-error"), answer.text
    return {error["field"]: error["message"] for error in answer.json["errors"]}


# --- what they find ---


def test_is_completed_tells_open_tasks_from_done_ones(ann):
    ann.patch(f"{ann.path_of(add(ann, 'done'))}/complete")
    add(ann, "open")
    assert found(ann, is_completed="true") == ["done"]
    assert found(ann, is_completed="false") == ["open"]
    assert found(ann) == ["open", "done"]


def test_q_is_found_in_titles_and_in_notes_letter_case_aside(ann):
    add(ann, "Buy MILK")
    add(ann, "Shopping", notes="oat\nMilk")
    add(ann, "Bread", notes="no m-i-l-k")
    assert found(ann, q="milk") == found(ann, q="mILk") == ["Shopping", "Buy MILK"]
    assert found(ann, q="y m") == ["Buy MILK"]


@pytest.mark.parametrize("text", ["oat\nmilk", "OAT\r\nmilk", "t\rm", "\n", "\tbread", "milk\n\tb"])
def test_q_may_have_the_tabs_and_line_ends_that_notes_have(ann, text):
    add(ann, "Shopping", notes="Oat\r\nMilk\r\tBread")
    add(ann, "oat milk", notes="bread")
    assert found(ann, q=text) == ["Shopping"]


def test_q_is_not_looked_for_across_a_title_and_its_notes(ann):
    add(ann, "Buy", notes="milk")
    assert found(ann, q="ymilk") == found(ann, q="y milk") == []


@pytest.mark.parametrize(
    "sign", ["%", "_", "\\", "*", "?", ".", "^", "$", "[", "'", '"', ";", "+", "&", "#"]
)
def test_a_sign_means_itself_in_q(ann, sign):
    add(ann, f"a{sign}b")
    add(ann, "axb")
    add(ann, "ab")
    assert found(ann, q=sign) == found(ann, q=f"a{sign}B") == [f"a{sign}b"]


@pytest.mark.parametrize("sign", ["%", "_", ".", "*", "\\"])
def test_a_sign_means_itself_in_a_tag(ann, sign):
    add(ann, "sign", tags=[f"a{sign}b"])
    add(ann, "other", tags=["axb", "ab"])
    assert found(ann, tag=f"a{sign}b") == ["sign"]
    assert found(ann, tag=sign) == []


@pytest.mark.parametrize(
    "text", ["null", "true", "0", " ", "  ", "🥛", "\u200b", "%s", "%(q)s", "$1"]
)
def test_q_is_text_whatever_it_looks_like(ann, text):
    add(ann, f"a{text}b")
    add(ann, "ab")
    assert found(ann, q=text) == [f"a{text}b"]


@pytest.mark.parametrize(
    ("stored", "asked"),
    [("Home", "hOME"), ("Äste", "ÄSTE"), ("äste", "ÄSTE"), ("Straße", "STRASSE"), ("STRASSE", "straße"),
     ("STRAẞE", "straße"), ("STRAẞE", "strasse"),
     ("Straße", "sTRAẞE"), ("ΟΔΟΣ", "οδος"), ("Οδος", "οδοσ"), ("İş", "İŞ"), ("ДОМ", "дом"), ("ﬀ", "ﬀ"),
     ("ᾼ", "ᾳ"), ("Ǆ", "ǆ"), ("K", "k"), ("a" * 50, "A" * 50), ("home", "\u3000 home\t")],
)  # fmt: skip
def test_a_tag_is_found_letter_case_aside_beyond_ascii_too(ann, stored, asked):
    add(ann, "tagged", tags=["first", stored, "last"])
    add(ann, "other", tags=[f"{stored[:49]}-", "x"])
    assert found(ann, tag=asked) == ["tagged"]


def test_a_tag_is_found_as_a_whole_only(ann):
    add(ann, "tagged", tags=["homework", "at home", "home, no".replace(",", "")])
    assert found(ann, tag="home") == found(ann, tag="work") == []
    assert found(ann, tag="at home") == ["tagged"]


def test_a_tag_that_differs_by_an_accent_is_another(ann):
    add(ann, "tagged", tags=["café"])
    assert found(ann, tag="cafe") == []
    assert found(ann, tag="CAFÉ") == ["tagged"]


def test_min_priority_is_a_lower_bound(ann):
    for priority in range(4):
        add(ann, f"{priority}", priority=priority)
    assert [found(ann, min_priority=f"{least}") for least in (1, 2, 3)] == [
        ["3", "2", "1"],
        ["3", "2"],
        ["3"],
    ]


def test_due_from_and_due_to_are_inclusive_and_a_moment_counts_by_its_day_in_utc(ann):
    add(ann, "never")
    add(ann, "day before", due_date="2026-03-09")
    add(ann, "day", due_date="2026-03-10")
    add(ann, "day after", due_date="2026-03-11")
    # in UTC the last microsecond of the 9th, the first and the last one of the 10th
    add(ann, "moment before", due_at="2026-03-10T02:59:59.999999+03:00")
    add(ann, "first moment", due_at="2026-03-09T21:00:00-03:00")
    add(ann, "last moment", due_at="2026-03-11T01:59:59.999999+02:00")
    add(ann, "moment after", due_at="2026-03-11T00:00:00Z")
    on_the_day = ["last moment", "first moment", "day"]
    assert found(ann, due_from="2026-03-10", due_to="2026-03-10") == on_the_day
    assert found(ann, due_from="2026-03-11") == ["moment after", "day after"]
    assert found(ann, due_to="2026-03-09") == ["moment before", "day before"]
    assert found(ann, due_from="1970-01-01") == found(ann, due_to="9999-12-31")
    assert "never" not in found(ann, due_from="1970-01-01", due_to="9999-12-31")


def test_due_from_after_due_to_finds_nothing(ann):
    add(ann, due_date="2026-03-10")
    assert found(ann, due_from="2026-03-11", due_to="2026-03-09") == []


def test_filters_hold_all_together(ann):
    wanted = {
        "title": "Buy milk",
        "tags": ["home"],
        "priority": 2,
        "due_date": "2026-03-10",
    }
    for other in (
        {},
        {"title": "Buy bread"},
        {"tags": ["work"]},
        {"priority": 1},
        {"due_date": "2026-03-09"},
        {"due_date": "2026-03-11"},
    ):
        task = add(ann, **(wanted | other))
        ann.patch(f"{ann.path_of(task)}/complete")
    add(ann, **wanted)  # which is not completed
    answer = ann.get(ann.tasks, query_string=EVERY)
    [task] = answer.json["data"]
    assert {name: task[name] for name in wanted} == wanted
    assert task["is_completed"]
    for name in EVERY.keys() - {"sort"}:
        fewer = {other: value for other, value in EVERY.items() if other != name}
        assert len(found(ann, **fewer)) == 2, name


def test_a_filter_finds_nothing_of_another_user(ann, bob):
    add(bob, "Buy milk", tags=["home"], priority=3)
    assert found(ann, q="milk") == found(ann, tag="home") == found(ann, min_priority="1") == []


# --- what they take ---

NO_TEXTS = ["a\0b", "\0", "a\vb", "\f", "\x1b[31m", "\x7f", "\x85"]


@pytest.mark.parametrize(
    ("name", "texts", "message"),
    [
        (
            "is_completed",
            ["True", "TRUE", "1", "0", "yes", "null", "true ", "true,false", "t", "\0"],
            "must be one of true, false",
        ),
        ("q", ["x" * 101, "🥛" * 101, "x" * 9000], "must have 1 to 100 characters"),
        ("q", NO_TEXTS, "must not contain control characters other than tabs and line ends"),
        (
            "tag",
            ["x" * 51, " ", "\u3000", "x" * 9000],
            "must have 1 to 50 characters, white space around it not counted",
        ),
        ("tag", ["a\0b", "a\nb", "a\x7fb"], "must not contain control characters, such as line breaks"),
        ("tag", ["\u200b", "\ufeff\u200d"], "must contain something visible"),
        ("tag", ["a,b", ","], "must not contain commas"),
        (
            "min_priority",
            ["0", "4", "-1", "1.0", "01", "+1", "high", "\u0661", "9" * 5000, "1 "],
            "must be a whole number from 1 to 3",
        ),
        *(
            (name, texts, message)
            for name in ("due_from", "due_to")
            for texts, message in (
                (
                    ["2026", "2026-3-1", "20260310", "10.03.2026", "2026-03-10T00:00:00Z", "today",
                     "2026-03-10 ", "+2026-03-10", "12026-03-10", "2026-W11-2", "\u0662026-03-10",
                     "2026-03-10\n", "0" * 5000],
                    "must be a date, such as 2026-12-24",
                ),
                (["2026-02-29", "2026-13-01", "2026-00-10", "2026-03-00"], "must be a day of the calendar"),
                (["1969-12-31", "0001-01-01"], "must be in the years 1970 to 9999, in UTC"),
            )
        ),
        (
            "sort",
            ["-due", "-title", "priority", "updated_at", "id", "created_at desc", "-created_at,id", "Title",
             "+created_at", "title;--", "none"],
            "must be one of -created_at, created_at, -updated_at, due, -priority, title",
        ),
    ],
)  # fmt: skip
def test_a_value_of_another_form_is_422(ann, name, texts, message):
    for text in texts:
        assert refused(ann.get(ann.tasks, query_string={name: text})) == {name: message}, text


@pytest.mark.parametrize("name", ["q", "tag"])
@pytest.mark.parametrize("text", ["%FF", "a%C3", "%ED%A0%80", "%C0%80", "%F5%80%80%80", "a%80b"])
def test_what_is_not_utf_8_is_422(ann, name, text):
    assert refused(ann.get(f"{ann.tasks}?limit=5&{name}={text}")) == {name: "must be UTF-8"}
    assert found(ann, **{name: text}) == []  # the same characters, percent-encoded


@pytest.mark.parametrize("name", EVERY)
def test_a_filter_or_order_that_comes_twice_is_422(ann, name):
    twice = f"{ann.tasks}?{name}={EVERY[name]}&limit=5&{name}={EVERY[name]}"
    assert refused(ann.get(twice)) == {name: "must be given once"}


@pytest.mark.parametrize("name", EVERY)
def test_an_empty_filter_or_order_is_422(ann, name):
    for query in (name, f"{name}="):
        assert refused(ann.get(f"{ann.tasks}?{query}")) == {name: "must not be empty"}


@pytest.mark.parametrize(
    "name",
    ["Q", "tags", "is_complete", "completed", "isCompleted", "priority", "max_priority", "due", "due_date",
     "due_at", "order", "sort_by", "Sort", "q ", "q[]", "title", "offset", "page"],
)  # fmt: skip
def test_a_mistyped_filter_does_not_answer_everything(ann, name):
    assert refused(ann.get(ann.tasks, query_string={name: "1"})) == {
        name: "is not a known parameter"
    }


def test_every_wrong_parameter_is_named(ann):
    wrong = dict.fromkeys(EVERY, "?\0") | {"limit": "0", "cursor": "x", "colour": "blue"}
    assert refused(ann.get(ann.tasks, query_string=wrong)).keys() == wrong.keys()


def test_the_longest_texts_are_taken(ann):
    assert found(ann, q="🥛" * 100) == found(ann, tag="🥛" * 50) == []


def test_401_and_403_come_before_422(client, ann, bob):
    bad = "?sort=none&q=%00"
    assert client.get(ann.tasks + bad).status_code == 401
    assert ann.get(bob.tasks + bad).status_code == 403


# --- the answers around them ---


@pytest.mark.parametrize("query", ["q=milk", "q=milk&limit=1", "sort=title", "sort=title&limit=1"])
def test_a_filtered_list_that_the_client_has_is_304_until_a_task_changes(ann, query):
    add(ann, "Buy more milk")
    task = add(ann, "Buy milk")
    path = f"{ann.tasks}?{query}"
    first = ann.get(path)
    held = {"If-None-Match": first.headers["ETag"]}
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert ann.get(path, headers=held).status_code == 304
    ann.put(ann.path_of(task), json={"notes": "oat"})
    again = ann.get(path, headers=held)
    assert again.status_code == 200
    assert again.json["meta"]["revision"] == first.json["meta"]["revision"] + 1
    assert again.json["data"] != first.json["data"]


@pytest.mark.parametrize("query", ["q=milk", "sort=due", "sort=title&limit=5"])
def test_tasks_without_a_revision_are_numbered_before_they_are_listed(ann, superuser, query):
    superuser.execute(
        "INSERT INTO tasks (user_id, title) SELECT %s, 'milk ' || n FROM generate_series(1, 3) AS n",
        [ann.id],
    )
    answer = ann.get(f"{ann.tasks}?{query}").json
    assert sorted(task["revision"] for task in answer["data"]) == [1, 2, 3]
    assert answer["meta"]["revision"] >= 3


@pytest.mark.parametrize("query", ["q=task", "sort=title", "sort=due&is_completed=false"])
def test_a_whole_filtered_list_is_longer_than_any_page(ann, superuser, query):
    superuser.execute(
        "INSERT INTO tasks (user_id, title) SELECT %s, 'task ' || n FROM generate_series(1, 1200) AS n",
        [ann.id],
    )
    answer = ann.get(f"{ann.tasks}?{query}")
    assert answer.json["meta"]["count"] == len({task["id"] for task in answer.json["data"]}) == 1200
    assert "Link" not in answer.headers
