"""What the OpenAPI document says of the service as a whole: the first page of ReDoc and Swagger UI."""

ABOUT = """\
Tasks for many users, each of whom sees only their own.

Sign up, and take the `access_token` and the `user_id` of the answer: the token goes into the header
`Authorization: Bearer …` of the other calls, the id into the paths of the tasks.
Every failure is a problem document; [the error codes](problems) say what to do about each. A method that
a path does not know is answered 405, with the methods that it knows in `Allow`. A `GET` can be a `HEAD` too.
A call that takes query parameters answers 422 to one that it does not know, to one that comes twice, and to
an empty one; the other calls ignore them. A call that takes no body ignores one.

Later versions 1.x may add calls, members of answers, headers and codes: ignore what you don't know, and treat
an unknown code by its status. Ids, tokens and cursors are texts without a meaning.

## Keep an offline copy

A client can keep all tasks of its user, work on them without a connection, and bring both sides together
later. Each change of a task takes the user's next `revision`, in the order in which changes take effect. So
one number says how far a copy is, and nothing is missed and nothing comes twice, whatever others write
meanwhile.

**Pull.** Begin with `GET /api/{user_id}/changes`, without `since`: every task, in pages. Put `data.tasks`
into the copy by their ids, take the ids in `data.deleted` out of it, and keep `meta.revision`. While
`meta.has_more` is true, ask again at once with `since={meta.revision}`; later on, ask with the last one
whenever you like. With the answer's `ETag` in `If-None-Match`, an answer without news has no body (304).

So `GET /api/{user_id}/changes?since=104` may have the answer
`{"data": {"tasks": [{"id": "0b9f…", …, "revision": 105}], "deleted": [{"id": "5f0c…", "revision": 106}]},
"meta": {"revision": 106, "has_more": false, …}}`, and the next `since` is 106.

**Push.** Keep what is changed without a connection in a list, in order, and send it with
`POST /api/{user_id}/tasks/batch`, up to 100 operations at a time. Give new tasks ids of your own (any UUID),
so that they can be changed before they are sent. With a change and a deletion send, as `if_revision`, the
revision that the user has seen. Send each batch with an `Idempotency-Key` of its own, stored before it is
sent: after a lost answer send the same body with the same key, for up to 24 hours, and it is done once.
A batch with an operation of the wrong shape is 422 as a whole: take out those that `errors` names, and send
the others with a new key.

The answer has a result for each operation, in order. For `{"operations": [{"op": "create", "id": "77aa…",
"title": "Milk"}, {"op": "update", "id": "0b9f…", "title": "Rye", "if_revision": 105}, {"op": "delete",
"id": "c1d2…", "if_revision": 99}]}` these may be `{"status": 201, "task": {…, "revision": 107}}`,
`{"status": 200, "task": {…, "revision": 108}}` and `{"status": 409, "code": "revision-conflict"}`.

Then pull: your own changes come back too, and change nothing.

**Conflict.** A result 409 `revision-conflict` says that the task has changed since the revision that the user
had seen. The pull brings the task as it is now: show both, or decide by a rule of yours, and send the change
again with the new revision. 404 says that the task is gone, 409 `task-deleted` that the id was that of a task
which is deleted. What else waits for the same task was made on the same old state: judge it together.

**Start over.** Deletions are remembered for 30 days. A copy that is older is told so: 410 `sync-expired`. So
is one that is ahead of the service, which comes after the operator has restored a backup. Forget the copy,
but not the changes that wait to be sent, and pull without `since`.

The service's source has a whole client in 190 lines, which its tests use:
`todo_api/deploy/examples/offline_copy.py`.
"""
