"""Downloads from a small https server that misbehaves on request."""

import contextlib
import datetime
import hashlib
import ipaddress
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app_repro.core.errors import DataError
from app_repro.data.files.download import download, shown_url

x509 = pytest.importorskip("cryptography.x509", reason="needs cryptography for a test certificate")
CONTENT = bytes(range(256)) * 400
DIGEST = f"md5:{hashlib.md5(CONTENT).hexdigest()}"


class Handler(BaseHTTPRequestHandler):
    """/good resumes; the other paths are the failures they are named after."""

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers.get("Range"))  # type: ignore[attr-defined]
        name = self.path.split("?")[0].strip("/")
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        if name in ("http", "elsewhere"):
            self.send_response(302)
            target = "http://127.0.0.1:9/x" if name == "http" else "/good"
            self.send_header("Location", target)
            self.end_headers()
            return
        if name == "missing" or start >= len(CONTENT):
            self.send_error(404 if name == "missing" else 416)
            return
        if name == "no-range":
            start = 0
        self.send_response(206 if start else 200)
        if name == "wrong-range":
            start = 0
            self.send_header("Content-Range", f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        if name != "unannounced":
            self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        with contextlib.suppress(OSError):  # the client may have hung up already
            self.wfile.write(CONTENT[start:][: 50_000 if name in ("short", "stall") else None])
            if name == "stall":
                time.sleep(1.5)

    def log_message(self, *args: object) -> None:
        pass


class Site:
    def __init__(self, server: ThreadingHTTPServer, context: ssl.SSLContext, target: Path) -> None:
        self.server, self.context, self.target = server, context, target
        self.part = target.with_name(target.name + ".part")
        self.ranges: list[str | None] = server.ranges  # type: ignore[attr-defined]

    def get(self, name: str, **options: object) -> None:
        url = f"https://127.0.0.1:{self.server.server_port}/{name}?token=secret"
        download(url, self.target, context=self.context, **options)  # type: ignore[arg-type]

    def files(self) -> set[str]:
        return {path.name for path in self.target.parent.iterdir()}


def certificate(folder: Path) -> Path:
    """Key and self-signed certificate for 127.0.0.1 in one file."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(hours=1))
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    (folder / "both.pem").write_bytes(pem)
    return folder / "both.pem"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    pem = certificate(tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.ranges = []  # type: ignore[attr-defined]
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(pem)
    server.socket = serving.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    (tmp_path / "cache").mkdir()
    yield Site(server, ssl.create_default_context(cafile=pem), tmp_path / "cache" / "a.tar.gz")
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("name", ["good", "elsewhere", "no-range", "unannounced"])
def test_a_file_arrives_whole_with_progress(name: str, site: Site) -> None:
    seen: list[tuple[str, int, int]] = []
    site.get(name, digest=DIGEST, on_progress=lambda *step: seen.append(step))
    assert site.target.read_bytes() == CONTENT and site.files() == {"a.tar.gz"}
    assert seen[-1] == ("download", len(CONTENT), 0 if name == "unannounced" else len(CONTENT))


@pytest.mark.promise
@pytest.mark.parametrize(
    ("name", "options", "kind"),
    [
        ("http", {}, "not https"),
        ("missing", {}, "status"),
        ("good", {"digest": "md5:" + "0" * 32}, "digest"),
        ("good", {"max_bytes": 1000}, "size"),
        ("unannounced", {"max_bytes": 1000}, "size"),
        ("short", {}, "short"),
        ("stall", {"timeout": 0.5}, "timeout"),
    ],
)
def test_what_cannot_be_used_leaves_nothing(name: str, options: dict[str, object], kind: str, site: Site) -> None:
    with pytest.raises(DataError) as caught:
        site.get(name, **options)
    assert caught.value.kind == kind and site.files() == set()
    assert "\n" not in str(caught.value) and "secret" not in str(caught.value)


@pytest.mark.promise
@pytest.mark.parametrize("name", ["short", "stall"])
def test_an_interrupted_download_is_resumed_where_its_digest_is_known(name: str, site: Site) -> None:
    with pytest.raises(DataError):
        site.get(name, timeout=0.5, digest=DIGEST)
    assert site.files() == {"a.tar.gz.part"}
    site.get("good", digest=DIGEST)
    assert site.ranges == [None, "bytes=50000-"]
    assert site.target.read_bytes() == CONTENT and site.files() == {"a.tar.gz"}


@pytest.mark.promise
@pytest.mark.parametrize("name", ["no-range", "wrong-range"])
def test_a_server_that_does_not_resume_starts_again(name: str, site: Site) -> None:
    site.part.write_bytes(b"old" * 99)
    site.get(name, digest=DIGEST)
    assert site.ranges == ["bytes=297-"] and site.target.read_bytes() == CONTENT


@pytest.mark.promise
def test_a_resumed_part_of_another_file_is_refused_whole(site: Site) -> None:
    site.part.write_bytes(b"old" * 99)
    with pytest.raises(DataError) as caught:
        site.get("good", digest=DIGEST)
    assert caught.value.kind == "digest" and site.ranges == ["bytes=297-"] and site.files() == set()


@pytest.mark.parametrize("more", [0, 1])
def test_a_part_as_long_as_the_file_or_longer_is_dropped(more: int, site: Site) -> None:
    site.part.write_bytes(bytes(len(CONTENT) + more))
    site.get("good", digest=DIGEST)
    assert site.ranges == [f"bytes={len(CONTENT) + more}-", None] and site.target.read_bytes() == CONTENT


def test_a_part_of_a_file_of_unknown_digest_is_not_continued(site: Site) -> None:
    site.part.write_bytes(b"old" * 99)
    site.get("good")
    assert site.ranges == [None] and site.target.read_bytes() == CONTENT


def test_an_unknown_certificate_and_a_closed_port_are_one_line(site: Site) -> None:
    site.context = ssl.create_default_context()
    with pytest.raises(DataError, match="certificate"):
        site.get("good")
    with pytest.raises(DataError) as caught:
        download("https://127.0.0.1:9/a", site.target, timeout=2)
    assert caught.value.kind == "connection" and site.files() == set()


def test_only_https_is_asked(tmp_path: Path) -> None:
    for url in ("http://127.0.0.1/a", "ftp://127.0.0.1/a", "file:///etc/passwd"):
        with pytest.raises(DataError) as caught:
            download(url, tmp_path / "a")
        assert caught.value.kind == "not https"
    assert list(tmp_path.iterdir()) == []


def test_secrets_of_a_url_are_not_shown() -> None:
    assert shown_url("https://user:secret@site.org:8/a.tar?token=secret#x") == "https://site.org:8/a.tar"
