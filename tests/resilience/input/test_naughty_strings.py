"""Naughty strings wherever text is taken: they come back exactly, or are refused as documented."""

import re
import unicodedata
import uuid
from collections import Counter
from typing import Any
from urllib.parse import quote

import pytest

from resilience.input.naughty import has_control, naughty_strings, shows_something
from support.live_service import LiveClient, LiveService, LiveUser
from todo_api.auth.new_passwords import is_common
from todo_api.tasks.schemas import TITLE_MAX
from todo_api.web.text import WHITE_SPACE

STRINGS = naughty_strings()
TRIMMED = re.compile(f"^[{WHITE_SPACE}]+|[{WHITE_SPACE}]+$")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


@pytest.fixture
def ann(service: LiveService, client: LiveClient) -> LiveUser:
    return service.sign_up(client)


def counted(seen: Counter[Any]) -> str:
    return ", ".join(f"{what}: {count}" for what, count in sorted(seen.items()))


def test_a_title_comes_back_exactly_or_is_422(
    client: LiveClient, ann: LiveUser, figure: Any
) -> None:
    path, seen = "", Counter[int]()
    for text in STRINGS:
        title = TRIMMED.sub("", text)
        wrong = not 1 <= len(title) <= TITLE_MAX or has_control(title)
        call = ("PUT", path) if path else ("POST", ann.tasks)
        answer = client.ask(*call, {"title": text}, token=ann.token)
        seen[answer.status] += 1
        if wrong:
            assert answer.status == 422, ascii(text)
        elif shows_something(title):
            assert answer.status in (200, 201), ascii(text)
        if answer.status < 300:
            assert answer.json["data"]["title"] == title, ascii(text)
            path = path or f"{ann.tasks}/{answer.json['data']['id']}"
            read = client.ask("GET", path, token=ann.token)
            assert read.json["data"]["title"] == title, ascii(text)
    assert seen.keys() == {200, 201, 422}
    figure(1, f"{len(STRINGS)} naughty strings as titles: exact, or refused", counted(seen))


def test_notes_and_tags_come_back_exactly_or_are_422(
    client: LiveClient, ann: LiveUser, figure: Any
) -> None:
    seen = Counter[str]()
    for text in STRINGS:
        lines = re.sub("\r\n?", "\n", text)
        notes = lines if re.search(r"\S", lines) else None
        is_good = len(lines) <= 4000 and not has_control(re.sub("[\t\n]", "", lines))
        answer = client.ask("POST", ann.tasks, {"title": "x", "notes": text}, token=ann.token)
        seen[f"notes {answer.status}"] += 1
        assert answer.status == (201 if is_good else 422), ascii(text)
        if is_good:
            assert answer.json["data"]["notes"] == notes, ascii(text)
        tag = TRIMMED.sub("", text)
        wrong = not 1 <= len(tag) <= 50 or has_control(tag) or "," in tag
        answer = client.ask("POST", ann.tasks, {"title": "x", "tags": [text]}, token=ann.token)
        seen[f"tags {answer.status}"] += 1
        if wrong:
            assert answer.status == 422, ascii(text)
        elif shows_something(tag):
            assert answer.status == 201, ascii(text)
        if answer.status == 201:
            assert answer.json["data"]["tags"] == [tag], ascii(text)
    assert seen.keys() == {"notes 201", "notes 422", "tags 201", "tags 422"}
    figure(1, f"{len(STRINGS)} naughty strings as notes, as tags: exact, or refused", counted(seen))


def test_a_title_is_found_by_itself_and_a_tag_by_its_name(
    client: LiveClient, ann: LiveUser, figure: Any
) -> None:
    seen = Counter[str]()
    for text in STRINGS:
        for name, most in (("q", 100), ("tag", 50)):
            answer = client.ask(
                "GET", f"{ann.tasks}?{name}={quote(text, safe='')}", token=ann.token
            )
            seen[f"{name} {answer.status}"] += 1
            cleaned = text if name == "q" else TRIMMED.sub("", text)
            judged = (
                re.sub("[\t\n\r]", "", cleaned) if name == "q" else cleaned
            )  # as notes have them
            if not 1 <= len(cleaned) <= most or has_control(judged):
                assert answer.status == 422, (name, ascii(text))
            elif name == "q" or (shows_something(cleaned) and "," not in cleaned):
                assert answer.status == 200, (name, ascii(text))
            if answer.status != 200:
                continue
            if judged != cleaned:  # no title has that
                continue
            body = {"title": f"a{text}z"} if name == "q" else {"title": "a", "tags": [text]}
            made = client.ask("POST", ann.tasks, body, token=ann.token).json["data"]
            path = f"{ann.tasks}?{name}={quote(text, safe='')}&sort=created_at"
            found = client.ask("GET", path, token=ann.token).json["data"]
            assert made["id"] in [task["id"] for task in found], (name, ascii(text))
            if name == "q":
                assert text in made["title"]
                assert (
                    client.ask("DELETE", f"{ann.tasks}/{made['id']}", token=ann.token).status == 204
                )
    figure(1, "naughty strings as q and tag: found, or refused", counted(seen))


def test_no_other_parameter_of_the_list_takes_a_naughty_string(
    client: LiveClient, ann: LiveUser
) -> None:
    forms = {
        "is_completed": "true|false",
        "min_priority": "[1-3]",
        "due_from": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
        "due_to": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
        "sort": "-?[a-z_]{3,10}",
        "limit": "[1-9][0-9]{0,3}",
    }
    for text in {string[:100] for string in STRINGS}:  # six times in an address
        query = "&".join(f"{name}={quote(text, safe='')}" for name in forms)
        answer = client.ask("GET", f"{ann.tasks}?{query}", token=ann.token)
        assert answer.status == 422, ascii(text)
        wrong = {error["field"] for error in answer.json["errors"]}
        assert all(re.fullmatch(forms[name], text) for name in forms.keys() - wrong), ascii(text)


@pytest.mark.parametrize(
    ("pattern", "every"), [("{}", 1), ("{}@example.com", 1), ("ann@{}.example", 7)]
)
def test_an_address_comes_back_as_documented_or_is_422(
    client: LiveClient, pattern: str, every: int, figure: Any
) -> None:
    seen = Counter[int]()
    for text in STRINGS[::every]:
        email = pattern.replace("{}", text)
        credentials = {"email": email, "password": "correct horse battery"}
        answer = client.ask("POST", "/api/auth/signup", credentials)
        seen[answer.status] += 1
        assert answer.status in (201, 409, 422), ascii(text)
        if answer.status == 201:
            trimmed = TRIMMED.sub("", email)
            lower = unicodedata.normalize("NFC", trimmed).lower()
            assert answer.json["data"]["email"] == unicodedata.normalize("NFC", lower), ascii(text)
            assert client.ask("POST", "/api/auth/login", credentials).status == 200, ascii(text)
    figure(1, f"naughty strings as addresses, {pattern}", counted(seen))


def test_a_password_is_taken_as_sent_or_is_422(client: LiveClient, figure: Any) -> None:
    seen = Counter[int]()
    for text in STRINGS:
        email = f"{uuid.uuid4().hex}@example.com"
        body = {"email": email, "password": text}
        answer = client.ask("POST", "/api/auth/signup", body)
        seen[answer.status] += 1
        is_taken = 8 <= len(text) <= 1024 and not is_common(text.casefold())
        assert answer.status == (201 if is_taken else 422), ascii(text)
        if answer.status == 201:
            assert client.ask("POST", "/api/auth/login", body).status == 200, ascii(text)
            if text.isascii():
                continue
            other = body | {"password": f"{text[:-1]}{chr(ord(text[-1]) ^ 1)}"}
            assert client.ask("POST", "/api/auth/login", other).status == 401, ascii(text)
    figure(1, "naughty strings as passwords: exact, or refused", counted(seen))


def test_a_request_id_and_a_user_agent_come_to_no_harm(
    client: LiveClient, ann: LiveUser, figure: Any
) -> None:
    seen = Counter[str]()
    for text in STRINGS:
        sent = re.sub(rb"[\r\n]", b"", text.encode())  # which would end the header
        headers = {"X-Request-ID": sent, "User-Agent": sent, "Authorization": b"Bearer " + sent}
        answer = client.ask("GET", ann.tasks, headers=headers)
        # a control character is refused by the server's parser or, with the token, by the application
        assert answer.status in (400, 401), ascii(text)
        found = answer.headers["X-Request-ID"]
        own = REQUEST_ID.fullmatch(sent.decode().strip(" \t"))
        seen["own" if own else "new"] += 1
        assert found == (own[0] if own else str(uuid.UUID(found))), ascii(text)
    figure(1, "naughty strings as request ids: the client's own, or a new one", counted(seen))


def test_a_path_segment_names_nothing(client: LiveClient, ann: LiveUser, figure: Any) -> None:
    seen = Counter[int]()
    for text in STRINGS:
        segment = quote(text, safe="")
        for method, path, expected in (
            ("DELETE", f"{ann.tasks}/{segment}", {404, 405}),  # 405: the empty string
            ("GET", f"/api/{segment}/tasks", {403, 404}),
            ("PUT", f"/{segment}", {404, 405}),
        ):
            query = "" if method == "DELETE" else f"?q={segment}"  # which knows its parameters
            status = client.ask(method, f"{path}{query}", token=ann.token).status
            seen[status] += 1
            assert status in expected, (method, ascii(path))
        # as it is: what is not ASCII is sent as UTF-8, which no client should do
        raw = re.sub(r"[^!-\uffff]|[?#\x7f-\x9f]", "", text).encode().decode("latin-1")
        if raw.isascii():
            assert client.ask("GET", f"{ann.tasks}/{raw}x", token=ann.token).status == 404
    figure(1, "naughty strings as user, task and path", counted(seen))
