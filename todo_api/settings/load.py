"""Reads the settings from options, the environment and .env, and reports all that is wrong at once."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from io import StringIO
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream

from todo_api.settings import readers
from todo_api.settings.config import Config, user_data, variable


class ConfigError(Exception):
    """Settings that can't be used; `problems` has one line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load(
    options: Mapping[str, str | None],
    environ: Mapping[str, str],
    folder: Path,
    *,
    serving: bool = True,
) -> Config:
    """Read the settings: options win over the environment, which wins over `folder`/.env; empty is unset.

    JWT_SECRET is required only for `serving`. Raises ConfigError, which names every bad or missing setting.
    """
    problems: list[str] = []
    file = _read_file(folder / ".env", problems)
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
    elif "data_dir" not in given and not user_data().is_absolute():
        problems.append("DATA_DIR is required: this account has no home folder to put data into")
    config = Config(**found)
    problems += _ports_alike(config) + secrets_alike(config)
    if problems:
        raise ConfigError(problems)
    return config


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


def _read_file(file: Path, problems: list[str]) -> dict[str, str | None]:
    """The settings in a .env file; empty without the file. $ has no special meaning in it."""
    try:
        text = file.read_text("utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):  # a folder .env may be a virtual environment
        return {}
    except OSError as error:
        problems.append(f".env can't be read: {error.strerror}")
        return {}
    except UnicodeDecodeError:
        problems.append(".env must be UTF-8")
        return {}
    lines = list(parse_stream(StringIO(text)))
    problems += [f".env line {line.original.line} can't be read" for line in lines if line.error]
    return {line.key: line.value for line in lines if line.key is not None}
