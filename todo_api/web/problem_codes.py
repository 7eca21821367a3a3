"""The kinds of failure that a client can get: the only table of codes, which /problems shows too."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """A kind of failure: its status, its name, what it usually means and what to do about it."""

    status: int
    title: str
    detail: str
    advice: str


CODES = {
    "malformed-request": Code(
        400,
        "Malformed request",
        "The body is not well-formed JSON, or a header is not in its form.",
        "The detail says what is wrong, and where. Send the body in UTF-8 without a byte-order mark, each "
        "key once, no NaN or Infinity, and not nested hundreds of levels deep. An Idempotency-Key has 1 to "
        "255 visible ASCII characters, and is sent once.",
    ),
    "unauthorized": Code(
        401,
        "Unauthorized",
        "A valid token is needed.",
        "Log in and send the token as “Authorization: Bearer …”. A token ends after 24 hours, unless it is "
        "renewed before, at logout, and with its account. An API token ends when it expires, or when it is "
        "ended.",
    ),
    "invalid-credentials": Code(
        401,
        "Invalid credentials",
        "The e-mail address or the password is wrong.",
        "Check both. The answer is the same for an address that has no account. A code for a new password is "
        "good once and for a limited time, exactly as it was given out: ask the operator for another.",
    ),
    "forbidden": Code(
        403,
        "Forbidden",
        "The path names another user than the token.",
        "Use the user_id that signup and login gave you with this token.",
    ),
    "wrong-password": Code(
        403,
        "Wrong password",
        "The current password is another.",
        "Send the password that the account has now as current_password. You are still logged in.",
    ),
    "account-disabled": Code(
        403,
        "Account disabled",
        "The operator has disabled this account.",
        "Ask the operator. Nothing of the account is lost.",
    ),
    "signup-closed": Code(
        403,
        "Sign-up closed",
        "Nobody can sign up here without a good invite.",
        "Ask the operator for an invite, and send it as “invite”, exactly as it was given out. It is good "
        "once, for a limited time, and perhaps for one address only. Where sign-up is closed altogether, ask "
        "for an account.",
    ),
    "insufficient-scope": Code(
        403,
        "Insufficient scope",
        "This API token may not do that.",
        "An API token is for the calls on tasks and for a look at the account, and with the scope “read” it "
        "changes nothing. For a change of tasks use one with the scope “write”; for all else log in.",
    ),
    "not-found": Code(
        404,
        "Not found",
        "There is nothing here.",
        "Check the path and the id in it. What another user has looks like what does not exist.",
    ),
    "method-not-allowed": Code(
        405,
        "Method not allowed",
        "This path does not know that method.",
        "The Allow header names the methods that it knows.",
    ),
    "request-timeout": Code(
        408,
        "Request timeout",
        "The request did not arrive in time.",
        "Nothing was done: send it again, on a new connection and without pauses.",
    ),
    "email-taken": Code(
        409,
        "E-mail address taken",
        "There is an account with this e-mail address.",
        "Log in instead, or sign up with another address. Letter case makes no difference.",
    ),
    "task-quota-exceeded": Code(
        409,
        "Task quota exceeded",
        "You hold as many tasks, or as much text in them, as this service allows.",
        "Delete tasks that are done with, shorten notes, or ask the operator to raise MAX_TASKS_PER_USER or "
        "MAX_TEXT_PER_USER. GET /api/{user_id} says how much there is.",
    ),
    "revision-conflict": Code(
        409,
        "Revision conflict",
        "The task has changed since the revision that the request names.",
        "The member current is the task as it is now; the results of a batch leave it out. Decide what to "
        "keep, and send the change again with its revision as if_revision.",
    ),
    "task-deleted": Code(
        409,
        "Task deleted",
        "A task with this id was deleted in the last 30 days.",
        "Take it out of your copy, or create it again under another id.",
    ),
    "token-limit-reached": Code(
        409,
        "Token limit reached",
        "You have as many API tokens as this service allows.",
        "End tokens that are not needed any more: GET …/tokens says when each was last used.",
    ),
    "sync-expired": Code(
        410,
        "Sync expired",
        "It is no longer known what was deleted since then: start over without since.",
        "Forget the copy, but not the changes that wait to be sent, and ask for changes without “since”. "
        "Deletions are remembered for 30 days.",
    ),
    "payload-too-large": Code(
        413,
        "Payload too large",
        "The body is larger than this call takes: 512 KiB for a batch, 64 KiB for all others.",
        "Send less: part a batch in two. A task is as large only where its letters are escapes: send UTF-8.",
    ),
    "unsupported-media-type": Code(
        415,
        "Unsupported media type",
        "The body must be sent as application/json.",
        "Send “Content-Type: application/json”, in UTF-8 and not compressed.",
    ),
    "misdirected-request": Code(
        421,
        "Misdirected request",
        "This service does not answer for the host that the request names.",
        "Use the service's own address. If this is it, ask the operator to add its name to ALLOWED_HOSTS.",
    ),
    "validation-error": Code(
        422,
        "Validation error",
        "The body, or a parameter of the query, is not what this call takes.",
        "The errors member names each field or parameter and says what is wrong with it.",
    ),
    "idempotency-key-reused": Code(
        422,
        "Idempotency-Key reused",
        "This Idempotency-Key was sent with another body before.",
        "Send each new task or batch with a key of its own, such as a random UUID, and the same key only to "
        "send the same again. A key is good for 24 hours.",
    ),
    "rate-limited": Code(
        429,
        "Too many attempts",
        "Too many attempts from this address.",
        "Wait for as many seconds as the Retry-After header says. After many wrong passwords for one "
        "account, log in from a network from which you have done so before, or wait. For a create or a batch "
        "with an Idempotency-Key it means that too many keys of the last 24 hours are kept, or too long "
        "answers to them.",
    ),
    "headers-too-large": Code(
        431,
        "Headers too large",
        "The request's headers are too large.",
        "Send fewer or shorter headers, and a shorter address.",
    ),
    "internal-error": Code(
        500,
        "Internal error",
        "Something went wrong in the service.",
        "Tell the operator the request_id: the log has more under it.",
    ),
    "unavailable": Code(
        503,
        "Unavailable",
        "The service can't answer right now.",
        "Try again after as many seconds as the Retry-After header says. A change may or may not have "
        "been stored: look before you repeat it. A create or a batch with an Idempotency-Key can just be "
        "sent again, and a create under an id of your own.",
    ),
}
