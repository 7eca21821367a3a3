"""A small certificate authority of a test's own, by the program openssl."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Certificate:
    file: Path
    key: Path


def make_authority(folder: Path, name: str) -> Certificate:
    """A self-signed certificate that may sign others."""
    made = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    usage = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign")
    _openssl(
        *("req", "-x509", *_KEY, "-days", "2", "-subj", f"/CN={name}", *usage),
        *("-keyout", made.key, "-out", made.file),
    )
    return made


def make_certificate(folder: Path, authority: Certificate, host: str) -> Certificate:
    """A certificate for a server that is called `host`, signed by the authority."""
    made = Certificate(folder / f"{host}.crt", folder / f"{host}.key")
    request, names = folder / f"{host}.csr", folder / f"{host}.names"
    names.write_text(f"subjectAltName=DNS:{host}\n")
    _openssl("req", *_KEY, "-subj", f"/CN={host}", "-keyout", made.key, "-out", request)
    _openssl(
        *("x509", "-req", "-in", request, "-days", "2", "-extfile", names, "-set_serial", "1"),
        *("-CA", authority.file, "-CAkey", authority.key, "-out", made.file),
    )
    made.key.chmod(0o600)
    return made


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
