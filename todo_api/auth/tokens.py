"""Issues and verifies tokens by flask-jwt-extended; each claim has to be as this service writes it."""

import re
import time
import uuid
from contextlib import suppress
from datetime import timedelta
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

from todo_api.auth import events
from todo_api.auth.token_cache import CLOCKS_DIFFER_S, TokenCache
from todo_api.database.calls import SessionEnded, SignedIn
from todo_api.web import problems
from todo_api.web.problems import Problem
from todo_api.web.request import current_request

LIFETIME_S = 24 * 60 * 60
ISSUER = AUDIENCE = "todo-api"
_HEADER = {"alg": "HS256", "typ": "JWT"}
# One token, in the one spelling that it has: in base64, a signature of 32 bytes leaves two bits of the last
# character unused. With those bits set, or with padding, the text would be another spelling of the token. The
# scheme may be in any letter case (RFC 9110, 11.1).
_BEARER = re.compile(
    r"(?i:Bearer) +(?P<token>[\w-]+\.[\w-]+\.[\w-]{42}[AEIMQUYcgkosw048])", re.ASCII
)


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
        who = current_request().signed_in
        return refused("session ended", "The session of this token has ended.", who and who.user_id)


def refused(reason: str, detail: str | None = None, user_id: str | None = None) -> Response:
    """Record a refused token and answer 401; `user_id` only when the signature was good."""
    events.record("token_refused", reason, user_id)
    return problems.answer(Problem("unauthorized", detail or "The token is not valid."))


def issue(who: SignedIn) -> str:
    """A token for a session, valid for LIFETIME_S seconds."""
    token: str = create_access_token(who.user_id, additional_claims={"jti": who.session_id})
    return token


def verify() -> SignedIn:
    """The user and session of the request's token. The first statement checks if the session is alive.

    Raises flask-jwt-extended's exceptions, which init_app answers with 401.
    """
    cache: TokenCache = current_app.extensions["token_cache"]
    request = current_request()
    header = request.environ.get("HTTP_AUTHORIZATION", "")
    who = cache.find(header)
    if who is None:
        credentials = _BEARER.fullmatch(header)
        if credentials is None:
            is_bearer = header[:7].lower() == "bearer "
            raise (InvalidHeaderError if is_bearer else NoAuthorizationError)
        claims = _claims(credentials["token"])
        who = SignedIn(claims["user_id"], claims["jti"])
        cache.remember(header, who, claims["exp"])
    request.signed_in = who
    return who


def sender(app: Flask, authorization: str) -> SignedIn | None:
    """Whose token a header has, if the signature is right and it has not expired; needs no request.

    This only says in which line a request waits. `verify` says who may do what.
    """
    cache: TokenCache = app.extensions["token_cache"]
    who = cache.find(authorization)
    credentials = _BEARER.fullmatch(authorization)
    if who is not None or credentials is None:
        return who
    for secret in app.extensions["verifying_secrets"]:
        with suppress(PyJWTError):
            claims = _decode(credentials["token"], secret, ["HS256"], {"verify_aud": False})
            if is_uuid(claims.get("user_id")) and is_uuid(claims.get("jti")):
                return SignedIn(claims["user_id"], claims["jti"])
    return None


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
        and is_uuid(claims.get("user_id"))
        and is_uuid(claims.get("jti"))
    )


def is_uuid(value: object) -> bool:
    """Whether `value` is a UUID as this service writes them: lower case, with hyphens."""
    if not isinstance(value, str) or len(value) != 36:
        return False
    try:
        return str(uuid.UUID(value)) == value
    except ValueError:
        return False
