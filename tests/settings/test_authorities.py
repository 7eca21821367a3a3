"""Where libpq finds the authorities' certificates of this machine: `sslrootcert=system`."""

import ssl
from pathlib import Path

import pytest

from todo_api.settings import authorities
from todo_api.settings.authorities import name_authorities


def looks_in(monkeypatch: pytest.MonkeyPatch, file: str | None, folder: str | None) -> None:
    paths = ssl.DefaultVerifyPaths(file, folder, "SSL_CERT_FILE", "", "SSL_CERT_DIR", "")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)


def test_they_are_where_python_has_found_them(monkeypatch: pytest.MonkeyPatch) -> None:
    looks_in(monkeypatch, "/its/file.pem", "/its/folder")
    name_authorities(found := {"PATH": "/bin"})
    assert found == {
        "PATH": "/bin",
        "SSL_CERT_FILE": "/its/file.pem",
        "SSL_CERT_DIR": "/its/folder",
    }


@pytest.mark.parametrize("said", [{"SSL_CERT_FILE": "/mine.pem"}, {"SSL_CERT_DIR": "/mine"}])
def test_what_the_operator_says_counts(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, str]
) -> None:
    looks_in(monkeypatch, "/its/file.pem", "/its/folder")
    name_authorities(found := dict(said))
    assert found == said


def test_where_python_looks_elsewhere_they_are_where_distributions_have_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    looks_in(monkeypatch, None, None)
    (there := tmp_path / "bundle.crt").touch()
    monkeypatch.setattr(authorities, "_FILES", (f"{tmp_path}/none", f"{there}"))
    name_authorities(found := {})
    assert found == {"SSL_CERT_FILE": f"{there}"}
    monkeypatch.setattr(authorities, "_FILES", ())
    name_authorities(found := {})
    assert found == {}
