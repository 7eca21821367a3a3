"""Lists of tasks: the tag of each is the user's latest revision, so one row tells whether it has changed."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from flask import Response, current_app

from todo_api.auth.admission import signed_in
from todo_api.database.calls import Call
from todo_api.lists import filters
from todo_api.lists.answers import task_list
from todo_api.lists.contents import ListTaker, PageTaker
from todo_api.lists.making import Makers
from todo_api.lists.pages import Asked, next_page
from todo_api.tasks import etags
from todo_api.tasks.turn import STATE, ListState, read_in_step
from todo_api.web.answers import not_modified
from todo_api.web.conditions import has_condition, is_held
from todo_api.web.current import database, unsent
from todo_api.web.request import current_request
from todo_api.web.unsent import InTheMaking


def whole_list(asked: Asked) -> Response:
    """All tasks of the list. What is large, and made or sent already, is not made again."""
    user_id, held = asked.user_id, unsent()
    while True:
        # Nobody takes a user's turn to make a list who has not been found to be that user.
        if has_condition() or held.has_some_of(user_id) or current_request().is_unproven:
            [state] = _in_step()
            headers = etags.headers(tag := etags.of(state.revision))
            if is_held(tag):
                return not_modified(headers)
            if content := held.find(user_id, _key(state)):
                return task_list(content, headers, state.revision)
        with suppress(InTheMaking), _makers().turn(user_id):
            call = _call(asked, partial(ListTaker, held, user_id))
            state, taken = _in_step(call)
            content = held.complete(taken.content, _key(state))
            return task_list(content, etags.headers(etags.of(state.revision)), state.revision)


def page(asked: Asked, limit: int) -> Response:
    """A page of the list."""
    call = _call(asked, partial(PageTaker, unsent(), asked.user_id, limit))
    if has_condition():
        [state] = _in_step()
        if is_held(tag := etags.of(state.revision)):
            return not_modified(etags.headers(tag))
    state, found = _in_step(call)
    headers = etags.headers(etags.of(state.revision))
    cursor = asked.cursor(found.last) if found.has_next else None
    if cursor:
        headers["Link"] = f'<{next_page(limit, cursor)}>; rel="next"'
    # The page may be newer than the revision: only one that ends at the same task leads on to the same page.
    content = unsent().complete(found.content, f"{_key(state)} {cursor}")
    return task_list(content, headers, state.revision, next_cursor=cursor)


def _call(asked: Asked, taker: Callable[[], ListTaker]) -> Call:
    """The statement that reads what is asked for."""
    if not asked.is_plain:
        parameters = filters.parameters(asked.filters) | asked.position()
        return Call(asked.order.statement, parameters | {"page_size": asked.limit}, taker=taker)
    if asked.limit:
        return Call("tasks/page", asked.position() | {"page_size": asked.limit}, taker=taker)
    return Call("tasks/list", taker=taker)


def _in_step(*calls: Call) -> list[Any]:
    """The ListState and the takers of the calls, once all of the user's tasks are counted and numbered.

    In this order, what is listed is as new as the revision, or newer.
    """

    def is_in_step(found: list[Any]) -> bool:
        state, *takers = found
        return bool(state and state[0].is_in_step) and not any(
            taker.has_unnumbered for taker in takers
        )

    state, *takers = read_in_step(database(), signed_in(), is_in_step, STATE, *calls)
    return [*state, *takers]


def _key(state: ListState) -> str:
    """Under which a large content can be found by the next request for the same."""
    return f"{state.revision}?{current_request().query_string.decode('latin-1')}"


def _makers() -> Makers:
    return current_app.extensions["makers"]  # type: ignore[no-any-return]
