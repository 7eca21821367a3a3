"""Reads the settings from options, the environment and .env, and reports all that is wrong at once."""

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from todo_api.settings import readers
from todo_api.settings.config import Config, user_data, variable
from todo_api.settings.env_file import EnvFile, EnvFileError, Line, read_env_file
from todo_api.settings.near_names import meant

# An unknown key that looks otherwise may be a part of a secret.
_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,39}|[a-z][a-z0-9_]{0,39}")
_WITH_PASSWORD = re.compile(r"://[^/\s]*:[^/\s]*@|password", re.IGNORECASE)
_NOTEWORTHY = 7  # letters: a shorter variable like HOST_ or PORTS may well be another program's


class ConfigError(Exception):
    """Settings that can't be used; `problems` has one line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(NamedTuple):
    """What was read: `config` has what can be used, and the default of each other setting."""

    config: Config
    problems: list[str]  # a line for each bad or missing setting
    names_database: bool  # whether it is certain which database is meant


def load(
    options: Mapping[str, str | None],
    environ: Mapping[str, str],
    folder: Path,
    *,
    serving: bool = True,
    warn: Callable[[str], None] = lambda _: None,
) -> Config:
    """Read the settings; raises ConfigError, which names every bad or missing setting."""
    found = read(options, environ, folder, serving=serving, warn=warn)
    if found.problems:
        raise ConfigError(found.problems)
    return found.config


def read(
    options: Mapping[str, str | None],
    environ: Mapping[str, str],
    folder: Path,
    *,
    serving: bool = True,
    warn: Callable[[str], None] = lambda _: None,
) -> Settings:
    """Read the settings: options win over the environment, which wins over `folder`/.env; empty is unset.

    JWT_SECRET is required only for `serving`. `warn` gets what the operator should know, and what does not
    end the start.
    """
    problems: list[str] = []
    file = _read_file(folder / ".env", problems, warn)
    in_doubt = bool(problems)  # what could not be read, or was mistyped, may be DATABASE_URL
    _look_at_environment(environ, warn)
    found: dict[str, Any] = {}
    bad = set()
    for setting in fields(Config):
        name = variable(setting.name)
        texts = (options.get(setting.name), environ.get(name), file.get(name))
        text = next((text for text in texts if text and text.strip()), None)
        if text is None:
            continue
        try:
            found[setting.name] = setting.metadata["read"](readers.one_line(text))
        except ValueError as error:
            bad.add(setting.name)
            problems.append(
                f"{name} {_without_space_around(text, setting.metadata['read']) or error}"
            )
    given = found.keys() | bad
    if "database_url" in given:
        if serving and "jwt_secret" not in given:
            problems.append("JWT_SECRET is required with DATABASE_URL")
    elif "migrate_url" in given:
        problems.append("MIGRATE_URL needs DATABASE_URL")
        in_doubt = True
    elif "data_dir" not in given and not user_data().is_absolute():
        problems.append("DATA_DIR is required: this account has no home folder to put data into")
        in_doubt = True
    in_doubt = in_doubt or not bad.isdisjoint(("database_url", "data_dir", "pg_bin"))
    config = Config(**found)
    problems += _ports_alike(config) + secrets_alike(config)
    return Settings(config, problems, "database_url" in found or not in_doubt)


def secrets_alike(config: Config) -> list[str]:
    """A message if JWT_SECRET_PREVIOUS is the same as JWT_SECRET; otherwise an empty list."""
    if config.jwt_secret is None or config.jwt_secret != config.jwt_secret_previous:
        return []
    return ["JWT_SECRET_PREVIOUS must differ from JWT_SECRET"]


def _ports_alike(config: Config) -> list[str]:
    """A message if metrics were to be served where the API is; otherwise an empty list."""
    hosts = {config.host, config.metrics_host}
    is_same = len(hosts) == 1 or not hosts.isdisjoint(("0.0.0.0", "::"))  # noqa: S104 (only compared)
    if not config.port or config.metrics_port != config.port or not is_same:
        return []
    return [f"METRICS_PORT is {config.port}, which is PORT: take another one"]


def _without_space_around(text: str, read: Callable[[str], Any]) -> str | None:
    """A message if the value would be good without the white space around it."""
    try:
        read(readers.one_line(text.strip()))
    except ValueError:
        return None
    return "has white space around it: take it away"


def _read_file(
    path: Path, problems: list[str], warn: Callable[[str], None]
) -> dict[str, str | None]:
    """The settings in a .env file; empty without the file."""
    try:
        file = read_env_file(path)
    except EnvFileError as error:
        problems.append(f".env {error}")
        return {}
    problems += [f".env line {number} can't be read" for number in file.unread]
    known, unknown = [variable(setting.name) for setting in fields(Config)], []
    for line in file.lines:
        if line.key in known:
            continue
        if setting := meant(line.key, known):
            problems.append(f"{line.key} in .env is no setting: did you mean {setting}?")
        else:
            unknown.append(_shown(line))
    if unknown:
        warn(f".env has what is no setting: {', '.join(dict.fromkeys(unknown))}")
    if file.others_can_read and (secrets := _secrets(file)):
        warn(f".env can be read by other accounts, and holds {', '.join(secrets)}: chmod 600 .env")
    return {line.key: line.value for line in file.lines}


def _shown(line: Line) -> str:
    is_name = line.value is not None and _NAME.fullmatch(line.key)
    return line.key if is_name else f"line {line.number}"


def _secrets(file: EnvFile) -> list[str]:
    """The names of the settings in a file that nobody else should know."""
    secret = {variable(setting.name) for setting in fields(Config) if not setting.repr}
    return [
        line.key
        for line in file.lines
        if line.key in secret
        and line.value
        and ("SECRET" in line.key or _WITH_PASSWORD.search(line.value))
    ]


def _look_at_environment(environ: Mapping[str, str], warn: Callable[[str], None]) -> None:
    """Warn of variables that are nearly settings; they may be other programs', so it is no more than that."""
    known = [variable(setting.name) for setting in fields(Config)]
    long = [name for name in known if len(name) >= _NOTEWORTHY]
    for name in sorted(environ.keys() - set(known)):
        if setting := meant(name, long):
            warn(f"{name} in the environment is no setting: did you mean {setting}?")
