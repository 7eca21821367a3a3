"""All that is stored about the user, as one JSON object, made while the rows arrive."""

import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
from flask import Blueprint, Response, current_app

from todo_api.accounts.rows import as_account, as_event, as_sign_in, as_token
from todo_api.auth.admission import admit, own_session
from todo_api.database.calls import Call, SessionEnded
from todo_api.lists.contents import Items, add_tasks
from todo_api.tasks.rows import as_task
from todo_api.tasks.turn import number_tasks
from todo_api.web import answers
from todo_api.web.current import database, unsent
from todo_api.web.unsent import Content, InTheMaking

# The older ones are in the pages of GET …/events. So many have 18 MB, as much as the largest list of tasks.
MOST_EVENTS = 50_000
_LISTS = ("tasks", "events")  # in the order of their rows
_FILE = 'attachment; filename="todo-api-export.json"'
_encode = msgspec.json.Encoder().encode

export = Blueprint("export", __name__, url_prefix="/api/<user_id>/export")
export.before_request(admit)


@export.get("")
def export_account() -> Response:
    """The account, its tasks, sessions, API tokens and events, in one answer to keep."""
    who, makers = own_session(), current_app.extensions["makers"]
    while True:
        with suppress(InTheMaking), makers.turn(who.user_id):
            made = _Export(who.user_id)
            account, sign_ins, tokens, *_ = database().as_user(
                who,
                Call("users/get_account", row=as_account),
                Call("sessions/list", {"session_id": who.session_id}, as_sign_in),
                Call("api_tokens/list", row=as_token),
                Call("tasks/list", taker=made.tasks),
                Call("auth_events/newest", {"most": MOST_EVENTS}, taker=made.events),
            )
            if not account:  # deleted after its session was looked at
                raise SessionEnded
            if made.has_unnumbered:
                unsent().forget(made.content)
                number_tasks(database(), who.user_id)
                continue
            made.end(account=account[0], sessions=sign_ins, api_tokens=tokens)
            # A tag of its own: nobody else is sent this content.
            content = unsent().complete(made.content, f"export {uuid.uuid4()}")
            headers = {"Content-Disposition": _FILE}
            return answers.content_answer(content, answers.meta(), headers, around="{}")


class _Export:
    """The members of the object, in one content: its long lists in order, then the rest."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._begin()

    def _begin(self) -> None:
        self.content = Content(unsent(), self._owner, is_whole_list=True)
        self.has_unnumbered = False  # whether a task has no revision yet
        self._begun: list[str] = []

    def tasks(self) -> "_List":
        """What takes the first list. It is asked for once more when the rows have to be."""
        self._begin()
        return _List(self, "tasks", self._add_tasks)

    def events(self) -> "_List":
        """What takes the second list."""
        return _List(self, "events", _add_events)

    def _add_tasks(self, items: Items, rows: list[tuple[Any, ...]]) -> None:
        tasks = [as_task(*row) for row in rows]
        self.has_unnumbered |= 0 in [task.revision for task in tasks]
        add_tasks(items, tasks)

    def add(self, name: str, items: bytes, count: int) -> None:
        """Add items to a list. Raises Problem when there is no room for them."""
        while name not in self._begun:
            one = _LISTS[len(self._begun)]
            self.content.add(f'{"]," if self._begun else ""}"{one}":['.encode(), 0)
            self._begun.append(one)
        self.content.add(items, count)

    def end(self, **members: Any) -> None:
        """End the lists, those without items too, and add the other members."""
        self.add("events", b"]", 0)
        for name, value in members.items():
            self.content.add(f',"{name}":'.encode() + _encode(value), 0)


class _List:
    """Takes the rows of one of the lists."""

    def __init__(
        self, export: _Export, name: str, add_rows: Callable[[Items, list[tuple[Any, ...]]], None]
    ) -> None:
        self.count = 0
        self._export = export
        self._name = name
        self._add_rows = add_rows

    def take(self, rows: list[tuple[Any, ...]]) -> None:
        """Encode some rows. Raises Problem when there is no room for more."""
        self._add_rows(self, rows)

    def add(self, piece: bytes, count: int) -> None:
        """Add the JSON of `count` more items."""
        self._export.add(self._name, piece, count)
        self.count += count


def _add_events(items: Items, rows: list[tuple[Any, ...]]) -> None:
    some = _encode([as_event(*row) for row in rows])[1:-1]
    items.add(b"," + some if items.count else some, len(rows))
