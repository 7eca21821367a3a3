"""Who sends a request: a session by its JWT, or a program by its API token.

flask-jwt-extended issues and verifies the JWTs; each claim has to be as this service writes it.
"""

import re
import time
from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, g
from flask_jwt_extended import JWTManager, create_access_token, decode_token
from flask_jwt_extended.exceptions import (
    InvalidHeaderError,
    JWTDecodeError,
    NoAuthorizationError,
)
from jwt import ExpiredSignatureError, InvalidSignatureError, PyJWTError
from jwt import decode as _decode

from todo_api.attempts import events
from todo_api.auth import api_tokens
from todo_api.auth.token_cache import CLOCKS_DIFFER_S, TokenCache
from todo_api.database.calls import ApiClient, Caller, ReadOnly, SessionEnded, SignedIn
from todo_api.web import problems
from todo_api.web.current import database
from todo_api.web.problems import Problem
from todo_api.web.request import current_request
from todo_api.web.schemas import is_id

LIFETIME_S = 24 * 60 * 60
# How long a process takes an API token that the database has accepted for one of its user's, before it has
# accepted it again. This only says in which line its requests wait.
ACCEPTED_FOR_S = 60 * 60
ISSUER = AUDIENCE = "todo-api"
_HEADER = {"alg": "HS256", "typ": "JWT"}
# One token, in the one spelling that it has: in base64, a signature of 32 bytes leaves two bits of the last
# character unused. With those bits set, or with padding, the text would be another spelling of the token. The
# scheme may be in any letter case (RFC 9110, 11.1).
_BEARER = re.compile(
    r"(?i:Bearer) +(?P<token>[\w-]+\.[\w-]+\.[\w-]{42}[AEIMQUYcgkosw048])", re.ASCII
)

_API_TOKEN = re.compile(rf"(?i:Bearer) +(?P<token>{api_tokens.PATTERN})", re.ASCII)


def init_app(app: Flask, secret: str, previous: str | None = None) -> None:
    """Set up flask-jwt-extended, with problem documents for its refusals.

    `secret` signs and verifies; `previous`, if any, verifies only.
    """
    app.config.update(
        JWT_SECRET_KEY=secret,
        JWT_ALGORITHM="HS256",
        JWT_DECODE_ALGORITHMS=["HS256"],
        JWT_TOKEN_LOCATION=["headers"],
        JWT_COOKIE_CSRF_PROTECT=False,  # no cookies, so no CSRF claim
        JWT_IDENTITY_CLAIM="user_id",
        JWT_ACCESS_TOKEN_EXPIRES=timedelta(seconds=LIFETIME_S),
        JWT_ENCODE_ISSUER=ISSUER,
        JWT_DECODE_ISSUER=ISSUER,
        JWT_ENCODE_AUDIENCE=AUDIENCE,
        JWT_DECODE_AUDIENCE=AUDIENCE,
        JWT_DECODE_LEEWAY=CLOCKS_DIFFER_S,  # also for `exp`, which _decoded checks again
    )
    jwt = JWTManager(app)
    app.extensions["token_cache"] = TokenCache()
    app.extensions["verifying_secrets"] = [secret, previous] if previous else [secret]

    @jwt.decode_key_loader
    def key(header: dict[str, Any], claims: dict[str, Any]) -> str:
        # Called before the signature is checked, with the token's own header and claims. The claims are
        # checked here, because flask-jwt-extended later fills in a missing type and jti.
        if not _is_ours(header, claims):
            raise JWTDecodeError("not a token of this service")
        key: str = g.verifying_secret
        return key

    @jwt.unauthorized_loader
    def missing(reason: str) -> Response:
        return problems.answer(
            Problem("unauthorized", "An Authorization: Bearer header is needed.")
        )

    @jwt.invalid_token_loader
    def invalid(reason: str) -> Response:
        return refused("invalid")

    @jwt.expired_token_loader
    def expired(header: dict[str, Any], claims: dict[str, Any]) -> Response:
        return refused("expired", "The token has expired.")

    @app.errorhandler(SessionEnded)
    def ended(error: SessionEnded) -> Response:
        request = current_request()
        who = request.signed_in
        if isinstance(who, ApiClient):
            _cache().forget(_header())
            # Anybody can write a token with this user's id: nothing that is recorded says it was theirs.
            request.signed_in = None
            return refused("API token unknown or ended", "This API token has ended.")
        return refused("session ended", "The session of this token has ended.", who and who.user_id)

    @app.errorhandler(ReadOnly)
    def read_only(error: ReadOnly) -> Response:
        return problems.answer(Problem("insufficient-scope"))


def refused(reason: str, detail: str | None = None, user_id: str | None = None) -> Response:
    """Record a refused token and answer 401; `user_id` only when the signature was good."""
    events.record("token_refused", reason, user_id)
    return problems.answer(Problem("unauthorized", detail or "The token is not valid."))


def issue(who: SignedIn, lifetime_s: int = LIFETIME_S) -> str:
    """A token for a session that lasts so many seconds: at least one, and at most LIFETIME_S."""
    token: str = create_access_token(
        who.user_id,
        additional_claims={"jti": who.session_id},
        expires_delta=timedelta(seconds=lifetime_s),
    )
    return token


def verify() -> SignedIn:
    """The user and session of the request's token, which has to be a session's.

    The first statement checks if the session is alive. Raises flask-jwt-extended's exceptions, which init_app
    answers with 401, and Problem for an API token.
    """
    who = verify_any()
    if isinstance(who, ApiClient):
        database().as_user(who)  # 401 comes first
        raise Problem("insufficient-scope")
    return who


def verify_any() -> Caller:
    """Who sends the request, by either kind of token; otherwise like `verify`.

    That a user's id is in an API token proves nothing, before the first statement has found the token.
    """
    request, header = current_request(), _header()
    who = _cache().find(header)
    if who is None:
        if api_token := _API_TOKEN.fullmatch(header):
            who = api_tokens.client_of(api_token["token"])
            if who is None:
                raise InvalidHeaderError
            request.is_unproven = True
        else:
            who = _session(header)
    request.signed_in = who
    return who


def remember_accepted(response: Response) -> None:
    """Note, after the answer, that the database has found the request's API token."""
    request = current_request()
    # What is refused may have been so without the database. What is answered comes from it.
    if request.is_unproven and request.signed_in and response.status_code < HTTPStatus.BAD_REQUEST:
        _cache().remember(_header(), request.signed_in, time.time() + ACCEPTED_FOR_S)


def sender(app: Flask, authorization: str) -> tuple[str, str] | None:
    """Whose token a header has, and an id of the token, if that is proven; needs no request.

    For a session's token the signature does, until it expires. For an API token its checksum does not: the
    database has to have accepted it lately. This only says in which line a request waits. `verify` says who
    may do what.
    """
    cache: TokenCache = app.extensions["token_cache"]
    if who := cache.find(authorization):
        return who[:2]
    credentials = _BEARER.fullmatch(authorization)
    if credentials is None:
        return None
    for secret in app.extensions["verifying_secrets"]:
        with suppress(PyJWTError):
            claims = _decode(credentials["token"], secret, ["HS256"], {"verify_aud": False})
            if _is_own_id(claims.get("user_id")) and _is_own_id(claims.get("jti")):
                return claims["user_id"], claims["jti"]
    return None


def _cache() -> TokenCache:
    return current_app.extensions["token_cache"]  # type: ignore[no-any-return]


def _header() -> str:
    return current_request().environ.get("HTTP_AUTHORIZATION", "")  # type: ignore[no-any-return]


def _session(header: str) -> SignedIn:
    credentials = _BEARER.fullmatch(header)
    if credentials is None:
        is_bearer = header[:7].lower() == "bearer "
        raise (InvalidHeaderError if is_bearer else NoAuthorizationError)
    claims = _claims(credentials["token"])
    who = SignedIn(claims["user_id"], claims["jti"])
    _cache().remember(header, who, claims["exp"])
    return who


def _claims(token: str) -> dict[str, Any]:
    """The claims of a token that the current secret verifies or, if the signature differs, the previous one.

    No `kid` names the secret: it would be one more field to check, and the signature shows it anyway.
    A forged token is tried with both secrets, so the time of its refusal reveals nothing about them.
    """
    *first, last = current_app.extensions["verifying_secrets"]
    for g.verifying_secret in first:
        with suppress(InvalidSignatureError):
            return _decoded(token)
    g.verifying_secret = last
    return _decoded(token)


def _decoded(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = decode_token(token)
    if claims["exp"] <= time.time():
        error = ExpiredSignatureError("the token has expired")
        error.jwt_header, error.jwt_data = _HEADER, claims  # type: ignore[attr-defined]
        raise error
    return claims


def _is_ours(header: dict[str, Any], claims: dict[str, Any]) -> bool:
    """Whether a token has the claims that `issue` writes, of the right types (RFC 8725, 3.8 to 3.12)."""
    issued, expires, not_before = claims.get("iat"), claims.get("exp"), claims.get("nbf")
    return (
        header == _HEADER
        and type(issued) is int
        and type(expires) is int
        and type(not_before) is int
        and 0 < expires - issued <= LIFETIME_S
        and claims.get("type") == "access"
        and claims.get("iss") == ISSUER
        and claims.get("aud") == AUDIENCE
        and _is_own_id(claims.get("user_id"))
        and _is_own_id(claims.get("jti"))
    )


def _is_own_id(value: object) -> bool:
    """Whether `value` is an id as this service writes it."""
    return isinstance(value, str) and is_id(value) and value == value.lower()
