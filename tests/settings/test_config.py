"""The settings: where they come from, what they may be, and what is said about those that may not."""

import os
import re
from collections.abc import Callable
from dataclasses import fields
from ipaddress import ip_network
from pathlib import Path

import limits
import pytest

from todo_api.settings.config import Config, default_text, variable
from todo_api.settings.load import ConfigError, load

EXAMPLE = Path(__file__).parents[2] / ".env.example"
SECRET = "0123456789abcdefghijklmnopqrstuv"  # 32 bytes
NAMES = [setting.name for setting in fields(Config)]

Read = Callable[..., Config]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Loads settings from variables alone; JWT_SECRET is there where DATABASE_URL makes it necessary."""

    def read(**variables: str) -> Config:
        if "DATABASE_URL" in variables:
            variables = {"JWT_SECRET": SECRET, **variables}
        return load({}, variables, tmp_path)

    return read


@pytest.fixture
def refused(read: Read) -> Callable[[str, str], str]:
    """What is said about one bad value, and about nothing else."""

    def refused(name: str, text: str) -> str:
        with pytest.raises(ConfigError) as caught:
            read(**{name: text})
        [problem] = caught.value.problems
        assert problem.startswith(f"{name} ")
        assert "\n" not in problem
        return problem

    return refused


Refused = Callable[[str, str], str]


class TestWhereSettingsComeFrom:
    def test_an_option_wins_over_the_environment_over_the_file_over_the_default(
        self, tmp_path: Path
    ) -> None:
        option, environment = {"port": "1"}, {"PORT": "2"}
        assert load({}, {}, tmp_path).port == 8000
        (tmp_path / ".env").write_text("PORT=3\n")
        assert load({}, {}, tmp_path).port == 3
        assert load({}, environment, tmp_path).port == 2
        assert load(option, environment, tmp_path).port == 1

    @pytest.mark.parametrize("empty", ["", " ", "\t\n"])
    def test_empty_is_unset_everywhere(self, tmp_path: Path, empty: str) -> None:
        assert load({"port": empty}, {"PORT": "2"}, tmp_path).port == 2
        assert load({"port": None}, {"PORT": empty}, tmp_path).port == 8000
        (tmp_path / ".env").write_text("PORT=3\nHOST=\nTHREADS=''\nWORKERS\n")
        config = load({}, {"PORT": empty}, tmp_path)
        assert (config.port, config.host, config.threads) == (3, "127.0.0.1", 16)

    def test_every_setting_can_be_left_empty(self, tmp_path: Path) -> None:
        assert load({}, {variable(name): "" for name in NAMES}, tmp_path) == Config()

    def test_the_file_has_comments_quotes_and_no_expansion(self, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text(
            f"# a comment\n\nexport PORT = 3 # another\nHOST='::'\nJWT_SECRET='{SECRET} #$HOME'\n"
            'CORS_ORIGINS="https://a.example, https://b.example"\nPORT=4\nOTHER=$(ls)\n',
            "utf-8",
        )
        config = load({}, {}, tmp_path)
        assert config.jwt_secret == f"{SECRET} #$HOME"
        assert config.cors_origins == ("https://a.example", "https://b.example")
        assert (config.host, config.port) == ("::", 4)

    @pytest.mark.parametrize("written", [b"\xef\xbb\xbfPORT=3\n", b"PORT=3\r\nHOST=::\r\n"])
    def test_the_file_may_come_from_windows(self, tmp_path: Path, written: bytes) -> None:
        (tmp_path / ".env").write_bytes(written)
        assert load({}, {}, tmp_path).port == 3

    def test_a_folder_of_the_files_name_is_no_file(self, tmp_path: Path) -> None:
        (tmp_path / ".env").mkdir()
        assert load({}, {}, tmp_path) == Config()

    def test_lines_that_cannot_be_read_are_named_and_not_shown(self, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text(f"PORT=x\nJWT SECRET={SECRET}\nTHREADS='8\nHOST=*\n")
        with pytest.raises(ConfigError) as caught:
            load({}, {}, tmp_path)
        assert caught.value.problems == [
            ".env line 2 can't be read",
            ".env line 3 can't be read",
            "HOST must be an IP address (IPv6 without brackets) or a host name, without a port",
            "PORT must be a whole number from 0 to 65535",
        ]

    def test_the_file_must_be_utf8(self, tmp_path: Path) -> None:
        (tmp_path / ".env").write_bytes(b"HOST=\xff\n")
        with pytest.raises(ConfigError, match=r"^\.env must be UTF-8$"):
            load({}, {}, tmp_path)

    def test_what_nobody_asked_for_is_ignored(self, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text("POSTGRES_PASSWORD=x\n")
        options = {"run": None, "count": None, "unknown": "x"}
        assert load(options, {"PATH": "/bin", "host": "*"}, tmp_path) == Config()


class TestTheExample:
    def test_it_has_every_setting_once_and_nothing_else(self) -> None:
        found = re.findall(r"^#?([A-Z_]+)=", EXAMPLE.read_text(), re.MULTILINE)
        assert sorted(found) == sorted(map(variable, NAMES))

    def test_as_it_stands_it_changes_nothing(self, tmp_path: Path) -> None:
        (tmp_path / ".env").write_bytes(EXAMPLE.read_bytes())
        assert load({}, {}, tmp_path) == Config()

    def test_the_values_in_it_are_the_defaults(self, tmp_path: Path) -> None:
        settings = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))
        assert settings == {variable(name): default_text(name) for name in NAMES}
        assert load({}, settings, tmp_path) == Config()

    def test_it_holds_no_secret_and_says_how_to_make_one(self) -> None:
        text = EXAMPLE.read_text()
        assert 'python3 -c "import secrets; print(secrets.token_urlsafe(48))"' in text
        assert "#JWT_SECRET=\n" in text

    def test_each_setting_is_explained_right_above_it(self) -> None:
        for block in EXAMPLE.read_text().split("\n\n"):
            for setting in re.findall(r"^#?[A-Z_]+=.*$", block, re.MULTILINE):
                assert re.search(rf"^# .*\.\n{re.escape(setting)}$", block, re.MULTILINE), setting


class TestProblems:
    def test_all_of_them_are_told_at_once_in_the_order_of_the_settings(
        self, tmp_path: Path
    ) -> None:
        bad = {variable(name): "\x07" for name in NAMES}
        with pytest.raises(ConfigError) as caught:
            load({}, bad, tmp_path)
        assert caught.value.problems == [
            f"{name} must be one line without control characters" for name in bad
        ]
        assert str(caught.value) == "\n".join(caught.value.problems)

    @pytest.mark.parametrize(
        ("name", "bad"),
        [
            ("DATABASE_URL", "mysql://h/db"),
            ("MIGRATE_URL", "mysql://h/db"),
            ("JWT_SECRET", "short"),
            ("JWT_SECRET_PREVIOUS", "short"),
            ("CORS_ORIGINS", "*"),
            ("CORS_HEADERS", "*"),
            ("HOST", "*"),
            ("PORT", "http"),
            ("DATA_DIR", "~nobody-of-that-name/x"),
            ("PG_BIN", "~nobody-of-that-name/x"),
            ("WORKERS", "0"),
            ("THREADS", "1"),
            ("REQUEST_TIMEOUT", "0"),
            ("METRICS_HOST", "http://x"),
            ("METRICS_PORT", "65536"),
            ("AUTH_RATE_LIMIT", "none"),
            ("ACCOUNT_GUESS_LIMIT", "none"),
            ("RATELIMIT_STORAGE_URI", "memory://"),
            ("BCRYPT_ROUNDS", "3"),
            ("SIGNUP", "invited"),
            ("MAX_TASKS_PER_USER", "0"),
            ("MAX_TEXT_PER_USER", "0"),
            ("EVENTS_DAYS", "-1"),
            ("TRUSTED_PROXIES", "*"),
            ("ALLOWED_HOSTS", "http://todo.example"),
            ("MIGRATE_ON_START", "maybe"),
            ("PREPARED_STATEMENTS", "5"),
            ("CORE_PINNING", "often"),
            ("LOG_LEVEL", "LOUD"),
            ("LOG_FORMAT", "xml"),
        ],
    )
    def test_every_setting_has_values_that_it_refuses(
        self, tmp_path: Path, name: str, bad: str
    ) -> None:
        for given in ({name.lower(): bad}, {}), ({}, {name: bad}):
            with pytest.raises(ConfigError) as caught:
                load(*given, tmp_path)
            assert caught.value.problems[0].startswith(f"{name} ")

    def test_the_list_above_has_every_setting(self) -> None:
        [marks] = [
            mark
            for mark in self.test_every_setting_has_values_that_it_refuses.pytestmark  # type: ignore[attr-defined]
            if mark.name == "parametrize"
        ]
        assert sorted(name for name, _ in marks.args[1]) == sorted(map(variable, NAMES))

    @pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\0b", "a\tb", "a\x1bb", "a\x7fb"])
    def test_a_value_is_one_line_without_control_characters(
        self, refused: Refused, text: str
    ) -> None:
        refused("DATA_DIR", f"/tmp/{text}")
        refused("JWT_SECRET", f"{SECRET}{text}")

    def test_a_value_is_utf8(self, refused: Refused) -> None:
        not_utf8 = os.fsdecode(b"\xff")  # as a variable of the environment has it
        assert refused("JWT_SECRET", SECRET + not_utf8) == "JWT_SECRET must be UTF-8"
        assert refused("DATA_DIR", f"/tmp/{not_utf8}") == "DATA_DIR must be UTF-8"

    def test_neither_messages_nor_the_settings_themselves_show_a_password(
        self, tmp_path: Path, read: Read
    ) -> None:
        word = "Pa55-word"
        bad = {
            "DATABASE_URL": f"mysql://u:{word}@h/db",
            "MIGRATE_URL": f"postgresql://u:{word}@h/db?nonsense={word}",
            "JWT_SECRET": word,
            "JWT_SECRET_PREVIOUS": word,
            "CORS_ORIGINS": f"https://u:{word}@app.example.com",
            "RATELIMIT_STORAGE_URI": f"redis://:{word}@h:{word}",
            "AUTH_RATE_LIMIT": word,
            "PORT": word,
        }
        with pytest.raises(ConfigError) as caught:
            load({}, bad, tmp_path)
        assert len(caught.value.problems) == len(bad)
        assert word not in str(caught.value)

        config = read(
            DATABASE_URL=f"postgresql://u:{word}@h/db",
            MIGRATE_URL=f"host=h password={word}",
            JWT_SECRET=word * 4,
            JWT_SECRET_PREVIOUS=word * 5,
            RATELIMIT_STORAGE_URI=f"redis://:{word}@h",
        )
        assert word not in repr(config)
        assert "port=8000" in repr(config)


class TestHints:
    @pytest.mark.parametrize(
        ("name", "text", "hint"),
        [
            ("LOG_LEVEL", "WARN", "write WARNING"),
            ("LOG_LEVEL", "inf", "write INFO"),
            ("PORT", " 8106 ", "has white space around it"),
            ("HOST", "::1 ", "has white space around it"),
            ("METRICS_PORT", "tcp://10.96.0.17:9090", "enableServiceLinks"),
        ],
    )
    def test_a_message_says_what_to_write(
        self, refused: Refused, name: str, text: str, hint: str
    ) -> None:
        assert hint in refused(name, text)

    @pytest.mark.parametrize(
        ("host", "metrics_host"),
        [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "::")],
    )
    def test_metrics_need_a_port_of_their_own(
        self, refused: Refused, read: Read, host: str, metrics_host: str
    ) -> None:
        where = {"HOST": host, "METRICS_HOST": metrics_host}
        with pytest.raises(ConfigError, match=r"^METRICS_PORT is 9000, which is PORT: "):
            read(PORT="9000", METRICS_PORT="9000", **where)
        assert read(PORT="0", METRICS_PORT="0", **where).metrics_port == 0

    def test_metrics_may_have_the_same_port_of_another_address(self, read: Read) -> None:
        both = {"PORT": "9000", "METRICS_PORT": "9000"}
        assert read(HOST="192.0.2.1", METRICS_HOST="127.0.0.1", **both).metrics_port == 9000


class TestCorsHeaders:
    def test_names_separated_by_commas(self, read: Read) -> None:
        assert "traceparent" in read().cors_headers
        assert read(CORS_HEADERS=" X-Team , b3 ").cors_headers == ("X-Team", "b3")

    @pytest.mark.parametrize("name", ["*", "x y", "x:", "x.*", "", "ü"])
    def test_nothing_else(self, refused: Refused, read: Read, name: str) -> None:
        if name:
            refused("CORS_HEADERS", f"good, {name}")
        else:
            assert read(CORS_HEADERS=",").cors_headers == ()


class TestSecret:
    def test_it_is_required_to_serve_with_a_database_of_ones_own(self, tmp_path: Path) -> None:
        url = {"DATABASE_URL": "postgresql://h/db"}
        with pytest.raises(ConfigError, match=r"^JWT_SECRET is required with DATABASE_URL$"):
            load({}, url, tmp_path)
        assert load({}, url, tmp_path, serving=False).jwt_secret is None
        assert load({}, {}, tmp_path).jwt_secret is None

    def test_a_bad_one_is_not_said_to_be_missing_too(self, refused: Refused) -> None:
        assert "at least 32 bytes" in refused("JWT_SECRET", "short")

    def test_it_is_missed_although_the_database_url_is_bad_as_well(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError) as caught:
            load({}, {"DATABASE_URL": "junk"}, tmp_path)
        assert [line.split(" ")[0] for line in caught.value.problems] == [
            "DATABASE_URL",
            "JWT_SECRET",
        ]

    @pytest.mark.parametrize("text", [SECRET, "é" * 16, "🔑" * 8, f"  {SECRET[:28]}  "])
    def test_32_bytes_of_utf8_are_enough_and_stay_as_they_are(self, read: Read, text: str) -> None:
        assert read(JWT_SECRET=text).jwt_secret == text

    @pytest.mark.parametrize("text", [SECRET[:-1], "é" * 15 + "e", "🔑" * 7 + "123"])
    def test_31_bytes_are_not(self, refused: Refused, text: str) -> None:
        assert refused("JWT_SECRET", text) == "JWT_SECRET must have at least 32 bytes"

    @pytest.mark.parametrize(
        "text",
        [
            "change-me-change-me-change-me-change-me",
            "CHANGEME_CHANGEME_CHANGEME_CHANGEME",
            "please change_me to something longer",
            "a-string-secret-at-least-256-bits-long",
            "your-256-bit-secret-your-256-bit-secret",
            "replace-me-with-a-long-random-string",
        ],
    )
    def test_a_value_from_an_example_is_not(self, refused: Refused, text: str) -> None:
        assert "from an example" in refused("JWT_SECRET", text)
        assert "from an example" in refused("JWT_SECRET_PREVIOUS", text)

    def test_the_previous_one_is_another(self, read: Read, refused: Refused) -> None:
        config = read(JWT_SECRET=SECRET, JWT_SECRET_PREVIOUS=SECRET[::-1])
        assert (config.jwt_secret, config.jwt_secret_previous) == (SECRET, SECRET[::-1])
        with pytest.raises(ConfigError, match=r"^JWT_SECRET_PREVIOUS must differ from JWT_SECRET$"):
            read(JWT_SECRET=SECRET, JWT_SECRET_PREVIOUS=SECRET)

    def test_the_previous_one_may_stand_beside_one_that_is_made(self, read: Read) -> None:
        assert read(JWT_SECRET_PREVIOUS=SECRET).jwt_secret is None


class TestDatabase:
    @pytest.mark.parametrize(
        "url",
        [
            "postgresql://",
            "postgres://u:p%40%2F%3A@h:5432/db?sslmode=verify-full",
            "postgresql://h1:1,h2:2,[::1]/db?target_session_attrs=read-write",
            "postgresql:///todo?host=%2Frun%2Fpostgresql&user=todo",
            "host=/run/postgresql dbname=todo password='p@ss'",
            "host=@abstract dbname=todo",
            "service=todo",
        ],
    )
    def test_whatever_libpq_takes(self, read: Read, url: str) -> None:
        assert read(DATABASE_URL=url).database_url == url
        assert read(DATABASE_URL="service=x", MIGRATE_URL=url).migrate_url == url

    @pytest.mark.parametrize(
        "url",
        [
            "junk",
            "todo.db",
            "mysql://u:Pa55@h/db",
            "postgresql+psycopg://u:Pa55@h/db",
            "postgresql://u:Pa55@h/db?nonsense=1",
            "postgresql://u:Pa%zz55@h/db",
            "postgresql://u:Pa55@[::1/db",
            "host=h password=Pa55 nonsense",
        ],
    )
    def test_what_libpq_does_not_take(self, refused: Refused, url: str) -> None:
        assert "libpq URL" in refused("DATABASE_URL", url)

    @pytest.mark.parametrize(
        "url",
        [
            "postgresql://u:Pa@55@h/db",  # libpq: host 55@h
            "postgresql://u:Pa/55@h/db",  # libpq: port Pa, database 55@h/db
            "postgresql://u:12/55@h/db",  # libpq: port 12, database 55@h/db
            "postgresql://u:p@h:port/db",
            "postgresql://u:p@h:65536/db",
            "host=h port=-1",
        ],
    )
    def test_a_url_that_libpq_would_misread(self, refused: Refused, url: str) -> None:
        problem = refused("DATABASE_URL", url)
        assert "%40" in problem
        assert "55" not in problem

    @pytest.mark.parametrize(
        ("url", "hint"),
        [
            ("postgres://u:Pa55@h/db?schema=public", "schema is no parameter of libpq, leave it out"),
            ("postgres://u:Pa55@h/db?sslmode=require&pgbouncer=true", "PREPARED_STATEMENTS=false"),
            ("postgres://u:Pa55@h/db?connection_limit=5", "THREADS"),
            ("postgresql://u:Pa55@h/db?sslaccept=strict", "sslmode"),
            ("jdbc:postgresql://h/db", "write postgresql:// instead of jdbc:postgresql://"),
            ("postgresql+psycopg2://u:Pa55@h/db", "write postgresql:// instead of postgresql+psycopg2://"),
            ("postgres+asyncpg://u:Pa55@h/db", "write postgresql:// instead of postgres+asyncpg://"),
        ],
    )  # fmt: skip
    def test_a_url_for_another_program_is_told_what_to_change(
        self, refused: Refused, url: str, hint: str
    ) -> None:
        problem = refused("DATABASE_URL", url)
        assert hint in problem
        assert "Pa55" not in problem

    def test_migrate_url_needs_database_url(self, refused: Refused) -> None:
        assert refused("MIGRATE_URL", "service=x") == "MIGRATE_URL needs DATABASE_URL"


class TestOrigins:
    @pytest.mark.parametrize(
        ("text", "origins"),
        [
            ("https://app.example.com", ("https://app.example.com",)),
            ("http://localhost:3000", ("http://localhost:3000",)),
            ("https://a.example,http://b.example:8080", ("https://a.example", "http://b.example:8080")),
            (" https://a.example ,, https://b.example, ", ("https://a.example", "https://b.example")),
            ("http://127.0.0.1:5173", ("http://127.0.0.1:5173",)),
            ("https://xn--mller-kva.example", ("https://xn--mller-kva.example",)),
            ("http://example.com:443", ("http://example.com:443",)),
            ("capacitor://localhost,ionic://localhost", ("capacitor://localhost", "ionic://localhost")),
            ("tauri://localhost", ("tauri://localhost",)),
            ("chrome-extension://abcdefghijklmnopabcdefghijklmnop",) * 2,
            ("safari-web-extension://E1A3B2C4-0000-4000-8000-00000000ABCD",) * 2,
            ("http://[::1]:3000", ("http://[::1]:3000",)),
            ("https://[2001:db8::1]", ("https://[2001:db8::1]",)),
            (",", ()),
        ],
    )  # fmt: skip
    def test_exact_ones(self, read: Read, text: str, origins: tuple[str, ...] | str) -> None:
        assert read(CORS_ORIGINS=text).cors_origins == (
            (origins,) if isinstance(origins, str) else origins
        )

    @pytest.mark.parametrize(
        "origin",
        [
            "*",
            "null",
            "https://*",
            "https://*.example.com",
            r"https://.*\.example\.com",
            "https://[a-z]+.example.com",
            "https://app.example.com|https://b.example",
            "^https://app.example.com$",
            "https://app?.example.com",
            "https://app.example.com/",
            "https://app.example.com/path",
            "https://app.example.com?query",
            "https://app.example.com#fragment",
            "https://user@app.example.com",
            "https://user:Pa55@app.example.com",
            "https://App.example.com",
            "HTTPS://app.example.com",
            "https://müller.example",
            "http://[0:0:0:0:0:0:0:1]:3000",
            "http://[::A]",
            "http://[fe80::1%25eth0]",
            "http://[::1",
            "http://[::g]",
            "file://localhost",
            "ws://app.example.com",
            "1app://localhost",
            "capacitor://",
            "capacitor://localhost/",
            "https://app.example.com:443",
            "http://app.example.com:80",
            "https://app.example.com:0",
            "https://app.example.com:080",
            "https://app.example.com:65536",
            "https://app.example.com:",
            "https://app.example.com:port",
            "https://app .example.com",
            "https://..example.com",
            "https://",
            "app.example.com",
            "//app.example.com",
            "ftp://app.example.com",
            "javascript:alert(1)",
        ],
    )
    def test_nothing_else(self, refused: Refused, origin: str) -> None:
        problem = refused("CORS_ORIGINS", f"https://good.example,{origin}")
        assert origin.rpartition("@")[2] in problem.replace("\\\\", "\\")
        assert "good.example" not in problem
        assert "Pa55" not in problem


class TestProxies:
    def test_addresses_and_networks_of_both_families(self, read: Read) -> None:
        text = "10.0.0.0/8, 192.0.2.7,::1 ,2001:DB8::/32,10.1.0.0/255.255.0.0,"
        assert read(TRUSTED_PROXIES=text).trusted_proxies == tuple(
            map(ip_network, ["10.0.0.0/8", "192.0.2.7", "::1", "2001:db8::/32", "10.1.0.0/16"])
        )

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("*", "is not an IP address"),
            ("localhost", "is not an IP address"),
            ("10", "is not an IP address"),
            ("10.0.0.0/33", "is not an IP address"),
            ("10.0.0.0/", "is not an IP address"),
            ("010.0.0.1", "is not an IP address"),
            ("10.0.0.1:80", "is not an IP address"),
            ("[::1]", "is not an IP address"),
            ("\u0661.0.0.1", "is not an IP address"),
            ("10.0.0.0/8 ::1", "is not an IP address"),
            ("10.0.0.1/8", "write 10.0.0.0/8"),
            ("2001:db8::1/64", "write 2001:db8::/64"),
            ("fe80::1%eth0", "zone"),
            ("::ffff:10.0.0.1", "IPv4"),
            ("::ffff:10.0.0.0/104", "IPv4"),
        ],
    )
    def test_nothing_that_would_never_match(self, refused: Refused, text: str, why: str) -> None:
        problem = refused("TRUSTED_PROXIES", f"::1,{text}")
        assert why in problem
        assert repr(text) in problem


class TestAllowedHosts:
    def test_names_and_addresses_as_they_are_compared(self, read: Read) -> None:
        text = "Todo.Example.com., .Example.org,192.0.2.7,[2001:DB8:0::1],::1,*,"
        assert read(ALLOWED_HOSTS=text).allowed_hosts == (
            "todo.example.com", ".example.org", "192.0.2.7", "[2001:db8::1]", "[::1]", "*",
        )  # fmt: skip

    @pytest.mark.parametrize(
        "text",
        [
            "https://todo.example",
            "todo.example:8000",
            "[::1]:8000",
            "[::1",
            "*.example.com",
            "..example.com",
            "todo..example",
            "todo.example/",
            "ann@todo.example",
            "fe80::1%eth0",
            ".",
        ],
    )
    def test_nothing_that_would_never_match(self, refused: Refused, text: str) -> None:
        assert repr(text) in refused("ALLOWED_HOSTS", f"localhost,{text}")


class TestRateLimit:
    @pytest.mark.parametrize(
        ("text", "amount", "seconds"),
        [
            ("5 per minute", 5, 60),
            ("1/second", 1, 1),
            ("100 per 2 hours", 100, 7200),
            ("5 PER Minutes", 5, 60),
            (" 20 / 1 day ", 20, 86400),
            ("1000000 per minute", 1_000_000, 60),
            ("5 per 999 days", 5, 999 * 86400),
        ],
    )
    def test_one_limit_as_the_library_reads_it(
        self, read: Read, text: str, amount: int, seconds: int
    ) -> None:
        [limit] = limits.parse_many(read(AUTH_RATE_LIMIT=text).auth_rate_limit)
        assert (limit.amount, limit.get_expiry()) == (amount, seconds)

    @pytest.mark.parametrize(
        "text",
        [
            "5 per minute; 1 per second",
            "5 per minute, 100 per hour",
            "5/minute|100/hour",
            "0 per minute",
            "5 per 0 minutes",
            "-5 per minute",
            "+5 per minute",
            "5.5 per minute",
            "5 per -1 minutes",
            "\u0665 per minute",
            "5 per minute\u017f",
            "5 per fortnight",
            "5 per year",
            "5 per minute;",
            "5 a minute",
            "per minute",
            "5",
            "10000000 per minute",
            "5 per 1000 days",
        ],
    )
    def test_nothing_else(self, refused: Refused, text: str) -> None:
        assert "'5 per minute'" in refused("AUTH_RATE_LIMIT", text)


class TestCounters:
    @pytest.mark.parametrize(
        "uri",
        [
            "redis://127.0.0.1:6379",
            "redis://:p%40ss@h/1",
            "rediss://h:6380?ssl_cert_reqs=none",
            "redis+unix:///run/redis.sock",
            "redis+sentinel://h1:26379,h2:26379/mymaster",
            "redis+cluster://h1:1,h2:2",
        ],
    )
    def test_a_redis(self, read: Read, uri: str) -> None:
        assert read(RATELIMIT_STORAGE_URI=uri).ratelimit_storage_uri == uri

    @pytest.mark.parametrize(
        "uri",
        [
            "memory://",  # each worker would count on its own
            "memcached://h",
            "mongodb://h",
            "todo-api://",
            "async+redis://h",
            "http://h",
            "127.0.0.1:6379",
            "redis:h",
            "REDIS://h",
            "redis://h:port",
            "redis://h:65536",
            "redis://:Pa/55@h:1",
            "redis://[::1",
        ],
    )
    def test_nothing_else(self, refused: Refused, uri: str) -> None:
        problem = refused("RATELIMIT_STORAGE_URI", uri)
        assert "redis://127.0.0.1:6379" in problem
        assert "55" not in problem

    def test_without_the_client_of_redis_it_says_how_to_get_it(
        self, refused: Refused, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        assert "pip install '.[redis]'" in refused("RATELIMIT_STORAGE_URI", "redis://h")


class TestPlainValues:
    @pytest.mark.parametrize(
        ("name", "low", "high"),
        [
            ("PORT", 0, 65535),
            ("WORKERS", 1, 64),
            ("THREADS", 2, 256),
            ("BCRYPT_ROUNDS", 4, 20),
            ("MAX_TASKS_PER_USER", 1, 2_000_000_000),
            ("EVENTS_DAYS", 0, 36_500),
        ],
    )
    def test_numbers_have_bounds(
        self, read: Read, refused: Refused, name: str, low: int, high: int
    ) -> None:
        for number in low, high:
            assert getattr(read(**{name: str(number)}), name.lower()) == number
        for text in (str(low - 1), str(high + 1), "9" * 5000):
            assert f"a whole number from {low} to {high}" in refused(name, text)

    @pytest.mark.parametrize(
        "text", ["x", "1x", "+5", "-5", "5.0", "5e1", "0x5", "1_0", "5 0", "\u0665", "²", "True"]
    )  # fmt: skip
    def test_numbers_are_ascii_digits(self, refused: Refused, text: str) -> None:
        for name in "PORT", "WORKERS", "THREADS", "BCRYPT_ROUNDS", "MAX_TASKS_PER_USER":
            assert "must be a whole number" in refused(name, text)

    @pytest.mark.parametrize(
        ("text", "value"),
        [("true", True), ("1", True), ("Yes", True), ("on", True), ("TRUE", True),
         ("false", False), ("0", False), ("No", False), ("off", False), ("False", False)],
    )  # fmt: skip
    def test_true_and_false(self, read: Read, text: str, value: bool) -> None:
        assert read(MIGRATE_ON_START=text).migrate_on_start is value
        assert read(PREPARED_STATEMENTS=text).prepared_statements is value

    def test_words_in_any_letter_case(self, read: Read) -> None:
        config = read(LOG_LEVEL="warning", LOG_FORMAT="JSON")
        assert (config.log_level, config.log_format) == ("WARNING", "json")

    def test_paths_become_absolute_and_know_the_home_folder(
        self, read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", "/home/ann")
        monkeypatch.chdir(tmp_path)
        config = read(DATA_DIR="~/todo data", PG_BIN="bin")
        assert config.data_dir == Path("/home/ann/todo data")
        assert config.pg_bin == tmp_path / "bin"

    def test_without_a_home_folder_data_needs_a_place(
        self, tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("os.path.expanduser", lambda path: path)
        monkeypatch.delenv("XDG_DATA_HOME", raising=False)
        with pytest.raises(ConfigError, match=r"^DATA_DIR is required"):
            read()
        assert read(DATA_DIR=str(tmp_path)).data_dir == tmp_path
        assert read(DATABASE_URL="service=x").database_url == "service=x"

    @pytest.mark.parametrize(
        "host", ["127.0.0.1", "0.0.0.0", "::", "::1", "fe80::1%lo", "localhost", "todo.example.com", "a_b"]
    )  # fmt: skip
    def test_hosts(self, read: Read, host: str) -> None:
        assert read(HOST=host).host == host

    @pytest.mark.parametrize(
        "host", ["*", "[::1]", "127.0.0.1:8000", "localhost:8000", "http://localhost", "a b", "-a",
                 "1.2.3", "999.1.1.1", "a/b", "müller.example"]
    )  # fmt: skip
    def test_nothing_else_is_a_host(self, refused: Refused, host: str) -> None:
        assert "must be an IP address" in refused("HOST", host)


def test_half_of_the_threads_hash_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    assert Config(workers=1, threads=6).hashing_slots == 3


def test_more_workers_than_cores_hash_one_password_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    assert Config(workers=8).hashing_slots == 1
