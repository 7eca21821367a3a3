"""The Dockerfile keeps its promises: what it is built from, who it runs as, how its health is asked."""

import http.client
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

CHECKOUT = Path(__file__).parents[2]
TEXT = (CHECKOUT / "Dockerfile").read_text()
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
LET_THROUGH = {
    line[1:]
    for line in (CHECKOUT / ".dockerignore").read_text().splitlines()
    if line.startswith("!")
}

EXACT_BASE = re.compile(r"(python:3\.\d+\.\d+-slim-[a-z]+)(@sha256:[0-9a-f]{64})? AS base")
LOCKED_INSTALL = "--require-hashes --no-deps --only-binary :all: -r requirements/{}.lock"
LABEL = "org.opencontainers.image."


@dataclass
class Stage:
    """One FROM and the instructions after it, each a word and what follows."""

    source: str
    instructions: list[tuple[str, str]]

    def all(self, word: str) -> list[str]:
        return [rest for found, rest in self.instructions if found == word]

    def pairs(self, word: str) -> dict[str, str]:
        """What ENV or LABEL sets."""
        found = re.findall(r'([\w.]+)=(?:"([^"]*)"|(\S+))', " ".join(self.all(word)))
        return {name: quoted or plain for name, quoted, plain in found}


def stages(text: str) -> list[Stage]:
    """The instructions as Docker reads them: comments away, continued lines joined."""
    lines = [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]
    found: list[Stage] = []
    for instruction in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        word, rest = instruction.split(maxsplit=1)
        rest = " ".join(rest.split())
        if word.upper() == "FROM":
            found.append(Stage(rest, []))
        else:
            found[-1].instructions.append((word.upper(), rest))
    return found


def faults(text: str) -> list[str]:
    """Which promises a Dockerfile breaks."""
    first, build, image = stages(text)
    return [
        promise
        for promise, kept in (
            ("an exact base, the same for all", exact_base(first, build, image)),
            ("copied is what is shipped", copied(build, image)),
            ("installed is what is locked", installed(build, image)),
            ("commands are todo-api and python", two_commands(build)),
            ("user 1000 from USER on", unprivileged(image)),
            ("port 7860 on every address", port(image)),
            ("health asks readiness", health(image)),
            ("labels say what pyproject.toml says", labels(first, image)),
            ("starts and stops the service", starts(image)),
        )
        if not kept
    ]


def exact_base(first: Stage, build: Stage, image: Stage) -> bool:
    return (
        EXACT_BASE.fullmatch(first.source) is not None
        and first.instructions == []
        and (build.source, image.source) == ("base AS build", "base")
    )


def copied(build: Stage, image: Stage) -> bool:
    sources = [source for rest in build.all("COPY") for source in rest.split()[:-1]]
    return (
        sorted(sources) == sorted(LET_THROUGH)
        and image.all("COPY") == ["--from=build /app/venv /app/venv"]
        and build.all("ADD") + image.all("ADD") == []
    )


def installed(build: Stage, image: Stage) -> bool:
    commands = [part.strip() for rest in build.all("RUN") for part in rest.split("&&")]
    quiet = "--no-cache-dir --no-compile"
    return [command for command in commands if "pip" in command.split()[0]] == [
        f"pip install --no-cache-dir {LOCKED_INSTALL.format('build')}",
        f"pip --python /app/venv/bin/python install {quiet} {LOCKED_INSTALL.format('service')}",
        "pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist .",
        f"pip --python /app/venv/bin/python install {quiet} --no-deps --no-index dist/*.whl",
    ] and not re.search(r"\bpip3? |apt|curl|wget", " ".join(image.all("RUN")))


def two_commands(build: Stage) -> bool:
    kept = "find /app/venv/bin -mindepth 1 ! -name 'python*' ! -name todo-api -delete"
    return (
        "python -m venv --without-pip /app/venv" in build.all("RUN")[0]
        and kept in build.all("RUN")[-1]
        and "todo-api" in PROJECT["scripts"]
    )


def unprivileged(image: Stage) -> bool:
    words = [word for word, _ in image.instructions]
    return (
        image.all("USER") == ["1000"]
        and "useradd --uid 1000 " in image.all("RUN")[0]
        and not {"RUN", "COPY", "ADD", "WORKDIR"} & {*words[words.index("USER") :]}
    )


def port(image: Stage) -> bool:
    settings = image.pairs("ENV")
    return (image.all("EXPOSE"), settings.get("PORT"), settings.get("HOST")) == (
        ["7860"],
        "7860",
        "0.0.0.0",
    )


def health(image: Stage) -> bool:
    [check] = image.all("HEALTHCHECK") or [""]
    options, _, command = check.partition(" CMD ")
    wait = re.search(r"timeout=(\d+)\)", command)
    return (
        options == "--interval=30s --timeout=5s --start-period=20s --retries=3"
        and json.loads(command)[:2] == ["python", "-c"]
        and "'GET', '/health/ready'" in command
        and wait is not None
        and int(wait[1]) < 5
    )


def labels(first: Stage, image: Stage) -> bool:
    exact = EXACT_BASE.fullmatch(first.source)
    return exact is not None and image.pairs("LABEL") == {
        f"{LABEL}title": "Todo API",
        f"{LABEL}description": PROJECT["description"],
        f"{LABEL}version": PROJECT["version"],
        f"{LABEL}licenses": PROJECT["license"],
        f"{LABEL}base.name": f"docker.io/library/{exact[1]}",
    }


def starts(image: Stage) -> bool:
    settings = image.pairs("ENV")
    return (
        image.all("CMD") == ['["todo-api", "serve"]']
        and image.all("ENTRYPOINT") == []
        and image.all("STOPSIGNAL") == ["SIGTERM"]
        and settings.get("PATH") == "/app/venv/bin:$PATH"
        and settings.get("PYTHONUNBUFFERED") == "1"
    )


def test_the_dockerfile_keeps_its_promises():
    assert faults(TEXT) == []


@pytest.mark.parametrize(
    ("old", "new", "promise"),
    [
        (
            "FROM python:3.13.16-slim-trixie",
            "FROM python:3.13-slim",
            "an exact base, the same for all",
        ),
        (
            "FROM python:3.13.16-slim-trixie",
            "FROM python:latest",
            "an exact base, the same for all",
        ),
        ("FROM base\n", "FROM python:3.13.15-slim-trixie\n", "an exact base, the same for all"),
        ("COPY sql sql\n", "COPY sql sql\nCOPY tests tests\n", "copied is what is shipped"),
        ("COPY migrations migrations\n", "", "copied is what is shipped"),
        ("COPY todo_api todo_api\n", "COPY . .\n", "copied is what is shipped"),
        (
            "COPY --from=build /app/venv /app/venv",
            "COPY --from=build / /",
            "copied is what is shipped",
        ),
        (
            "COPY sql sql\n",
            "COPY sql sql\nADD https://example.com/x x\n",
            "copied is what is shipped",
        ),
        ("--require-hashes ", "", "installed is what is locked"),
        ("-r requirements/service.lock", "'.[redis]'", "installed is what is locked"),
        (" --no-build-isolation", "", "installed is what is locked"),
        (" --no-index", "", "installed is what is locked"),
        (
            "! -name todo-api -delete",
            "! -name todo-api ! -name flask -delete",
            "commands are todo-api and python",
        ),
        (" --without-pip", "", "commands are todo-api and python"),
        ("USER 1000\n", "", "user 1000 from USER on"),
        ("USER 1000\n", "USER root\n", "user 1000 from USER on"),
        ("USER 1000\n", "USER 1000\nUSER root\n", "user 1000 from USER on"),
        ("--uid 1000 ", "--uid 1001 ", "user 1000 from USER on"),
        ("EXPOSE 7860\n", "EXPOSE 7860\nRUN touch /root/x\n", "user 1000 from USER on"),
        ("EXPOSE 7860", "EXPOSE 8000", "port 7860 on every address"),
        ("PORT=7860", "PORT=8000", "port 7860 on every address"),
        ("HOST=0.0.0.0", "HOST=127.0.0.1", "port 7860 on every address"),
        ("HEALTHCHECK --interval", "HEALTHCHECK NONE\n# --interval", "health asks readiness"),
        ("/health/ready", "/health/live", "health asks readiness"),
        ("timeout=4", "timeout=40", "health asks readiness"),
        ('image.version="', 'image.version="9', "labels say what pyproject.toml says"),
        ('"MIT AND Apache-2.0 AND BSD-3-Clause"', '"MIT"', "labels say what pyproject.toml says"),
        ("library/python:3.13.16", "library/python:3.13.15", "labels say what pyproject.toml says"),
        ("STOPSIGNAL SIGTERM\n", "", "starts and stops the service"),
        ('CMD ["todo-api", "serve"]', "CMD todo-api serve", "starts and stops the service"),
        (
            "STOPSIGNAL SIGTERM\n",
            'STOPSIGNAL SIGTERM\nENTRYPOINT ["sh"]\n',
            "starts and stops the service",
        ),
    ],
)
def test_a_line_that_goes_is_noticed(old, new, promise):
    assert old in TEXT
    try:
        found = faults(TEXT.replace(old, new))
    except ValueError:  # not the three stages, or no JSON
        found = [promise]
    assert promise in found


class Answers(http.server.BaseHTTPRequestHandler):
    """Says one status and remembers what was asked."""

    status: ClassVar[int]
    asked: ClassVar[list[str]]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def check():
    """Runs the image's health check against a server of the test: its exit status and what it asked."""
    [(word, _, code)] = [
        json.loads(rest.partition(" CMD ")[2]) for rest in stages(TEXT)[-1].all("HEALTHCHECK")
    ]
    assert word == "python"

    def run(status: int, **environment: str) -> tuple[int, list[str]]:
        handler = type("Handler", (Answers,), {"status": status, "asked": []})
        with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            settings = {"PATH": os.environ["PATH"], "PORT": str(server.server_port), **environment}
            done = subprocess.run(
                [sys.executable, "-c", code], env=settings, stderr=subprocess.DEVNULL, timeout=20
            )
            server.shutdown()
        return done.returncode, handler.asked

    run.code = code
    return run


@pytest.mark.slow
def test_the_health_check_follows_readiness(check):
    assert check(200) == (0, ["/health/ready"])
    assert check(503) == (1, ["/health/ready"])


def test_the_health_check_goes_past_a_proxy(check):
    elsewhere = "http://127.0.0.1:9"
    assert check(200, http_proxy=elsewhere, HTTP_PROXY=elsewhere, all_proxy=elsewhere) == (
        0,
        ["/health/ready"],
    )


def test_a_service_that_is_not_there_is_unhealthy(check):
    assert check(200, PORT="9") == (1, [])


@pytest.mark.parametrize("setting", ["", None])
def test_the_health_check_takes_an_empty_port_for_the_default(check, monkeypatch, setting):
    """As the service does; port 8000 itself may be taken here, so nothing is asked."""
    called = []

    class Connection:
        def __init__(self, host, port, timeout):
            called.append((host, port))
            raise ConnectionRefusedError

    monkeypatch.setattr(http.client, "HTTPConnection", Connection)
    monkeypatch.delenv("PORT", raising=False)
    if setting is not None:
        monkeypatch.setenv("PORT", setting)
    with pytest.raises(ConnectionRefusedError):
        exec(check.code, {})
    default = re.search(r"^#PORT=(\d+)$", (CHECKOUT / ".env.example").read_text(), re.M)
    assert called == [("127.0.0.1", int(default[1]))]
