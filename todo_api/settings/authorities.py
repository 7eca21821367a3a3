"""Where this machine keeps the certificates of authorities, for `sslrootcert=system` in a database's URL."""

import ssl
from collections.abc import MutableMapping
from pathlib import Path

FILE, FOLDER = "SSL_CERT_FILE", "SSL_CERT_DIR"
# Where Linux distributions keep all in one file, for a Python that was built to look elsewhere.
_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine, macOS
)


def name_authorities(environ: MutableMapping[str, str]) -> None:
    """Tell libpq's OpenSSL in the environment where they are, unless the operator has.

    psycopg's wheel brings an OpenSSL of its own, which looks in a folder that is on no machine: without
    this, `sslrootcert=system` refuses every server.
    """
    if FILE in environ or FOLDER in environ:
        return
    found = ssl.get_default_verify_paths()
    file = found.cafile or next((one for one in _FILES if Path(one).is_file()), None)
    if file:
        environ[FILE] = file
    if found.capath:
        environ[FOLDER] = found.capath
