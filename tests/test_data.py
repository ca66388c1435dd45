"""A download is known by its digest and nothing else: from the cache, from the assets, or by https."""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from edgegreen import data
from edgegreen.config.references import Download
from edgegreen.errors import InputError


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


MODEL = b"a model" * 1000


def missing(ref: Path | Download) -> InputError:
    with pytest.raises(InputError) as caught:
        data.locate(ref, "model")
    assert caught.value.message.startswith("model: ")
    return caught.value


@pytest.fixture
def assets_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty $EDGEGREEN_ASSETS."""
    folder = tmp_path / "assets"
    folder.mkdir()
    monkeypatch.setenv("EDGEGREEN_ASSETS", str(folder))
    return folder


@pytest.fixture(autouse=True)
def no_assets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the person who runs this has there."""
    monkeypatch.delenv("EDGEGREEN_ASSETS", raising=False)


class TestPath:
    """A file beside the recipe."""

    def test_file_and_folder_are_themselves(self, tmp_path: Path) -> None:
        (tmp_path / "m.tflite").write_bytes(MODEL)
        assert data.locate(tmp_path / "m.tflite", "model") == tmp_path / "m.tflite"
        assert data.locate(tmp_path, "model") == tmp_path

    def test_absent(self, tmp_path: Path) -> None:
        error = missing(tmp_path / "m.tflite")
        assert error.message == f"model: {tmp_path / 'm.tflite'} does not exist"
        assert error.hint == "paths are relative to the recipe"


class TestAssets:
    """$EDGEGREEN_ASSETS: any depth, by name, and only with the right digest."""

    REF = Download(file="kws/m[1].tflite", sha256=sha256(MODEL))

    def test_found_by_name_and_digest(self, assets_folder: Path) -> None:
        for folder, content in (("a", b"another"), ("b/c", MODEL), ("d", b"a third")):
            (assets_folder / folder).mkdir(parents=True)
            (assets_folder / folder / "m[1].tflite").write_bytes(content)
        assert data.locate(self.REF, "model") == assets_folder / "b" / "c" / "m[1].tflite"

    def test_found_under_another_name(self, assets_folder: Path) -> None:
        (assets_folder / "renamed.tflite").write_bytes(MODEL)
        assert data.locate(self.REF, "model") == assets_folder / "renamed.tflite"

    def test_a_wrong_digest_is_not_used(self, assets_folder: Path) -> None:
        (assets_folder / "m[1].tflite").write_bytes(MODEL[:-1])
        error = missing(self.REF)
        assert f"kws/m[1].tflite (sha256 {sha256(MODEL)[:12]}…) is not in $EDGEGREEN_ASSETS" in error.message
        assert "EDGEGREEN_ASSETS" in str(error.hint)

    def test_a_folder_of_that_name_is_not_a_file(self, assets_folder: Path) -> None:
        (assets_folder / "m[1].tflite").mkdir()
        missing(self.REF)

    def test_without_the_variable_or_its_folder(self, monkeypatch: pytest.MonkeyPatch) -> None:
        missing(self.REF)
        monkeypatch.setenv("EDGEGREEN_ASSETS", "/nonexistent")
        missing(self.REF)


FOLDER = {
    "saved_model.pb": b"graph",
    "variables/variables.index": b"index",
    "variables/x/variables.index": b"x",
}


def folder_ref(**changes: str) -> Download:
    return Download(file="kws/kws_ref_model", files={n: sha256(c) for n, c in FOLDER.items()} | changes)


class TestFolder:
    """A folder such as a SavedModel is put together from its files, once."""

    @pytest.fixture(autouse=True)
    def filled(self, assets_folder: Path) -> None:
        """Two of the files have one name, and lie elsewhere than in the folder."""
        for number, content in enumerate(FOLDER.values()):
            name = list(FOLDER)[number].rpartition("/")[2]
            (assets_folder / str(number)).mkdir()
            (assets_folder / str(number) / name).write_bytes(content)

    def content(self, folder: Path) -> dict[str, bytes]:
        return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    def test_put_together(self, home: Path) -> None:
        found = data.locate(folder_ref(), "model")
        assert found.name == "kws_ref_model"
        assert home in found.parents
        assert self.content(found) == FOLDER
        assert [p.name for p in found.parent.iterdir()] == ["kws_ref_model"]  # nothing temporary stays

    def test_the_second_time_it_is_there(self, assets_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        found = data.locate(folder_ref(), "model")
        monkeypatch.delenv("EDGEGREEN_ASSETS")
        assert data.locate(folder_ref(), "model") == found

    def test_one_file_missing_leaves_nothing_behind(self, home: Path) -> None:
        error = missing(folder_ref(**{"variables/other.index": sha256(b"other")}))
        assert "kws/kws_ref_model/variables/other.index" in error.message
        assert [p for p in home.rglob("*") if p.is_file()] == []

    def test_several_processes_at_once(self, home: Path) -> None:
        code = (
            "import sys; from edgegreen import data, recipe; sys.stdin.readline();"
            "ref = recipe.Download.model_validate_json(sys.argv[1]); print(data.locate(ref, 'model'))"
        )
        started = [
            subprocess.Popen(
                [sys.executable, "-c", code, folder_ref().model_dump_json()],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
            for _ in range(4)
        ]  # fmt: skip
        for one in started:
            assert one.stdin
            one.stdin.write("go\n")
            one.stdin.flush()
        said = {one.communicate(timeout=60)[0].strip() for one in started}
        assert [one.returncode for one in started] == [0] * 4
        assert len(said) == 1
        assert self.content(Path(said.pop())) == FOLDER


@dataclass
class Server:
    """A file server on this machine that speaks real TLS."""

    url: str
    served: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def serve(self, path: str, content: bytes, status: int = 200, **headers: str) -> str:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        self.served[path] = (status, {"Content-Length": str(len(content))} | given, content)
        return self.url + path


def certificate(folder: Path) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "edgegreen test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    cert, key = certificate(tmp_path_factory.mktemp("tls"))
    server = Server("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(self.path)
            status, headers, content = server.served.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    server.url = f"https://127.0.0.1:{listening.server_port}"
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    yield server, cert
    listening.shutdown()
    listening.server_close()
    thread.join()


@pytest.fixture
def server(tls_server: tuple[Server, Path], monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server, trusted by this process."""
    found, cert = tls_server
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    found.served.clear()
    found.asked.clear()
    return found


class TestFetch:
    """From a server, as a last resort."""

    def kept(self, home: Path) -> list[Path]:
        return [path for path in home.rglob("*") if path.is_file()]

    def test_fetched_once_and_kept(self, server: Server, home: Path) -> None:
        ref = Download(url=server.serve("/models/m.h5", MODEL), sha256=sha256(MODEL))
        found = data.locate(ref, "model")
        assert found.name == "m.h5"
        assert found.read_bytes() == MODEL
        assert data.locate(ref, "model") == found
        assert server.asked == ["/models/m.h5"]
        assert self.kept(home) == [found]

    def test_the_assets_go_before_the_server(self, server: Server, assets_folder: Path) -> None:
        (assets_folder / "m.h5").write_bytes(MODEL)
        ref = Download(url=server.serve("/m.h5", MODEL), sha256=sha256(MODEL))
        assert data.locate(ref, "model") == assets_folder / "m.h5"
        assert server.asked == []

    def test_the_name_is_that_of_the_file_whatever_the_url_adds(self, server: Server) -> None:
        ref = Download(url=server.serve("/a/my%20model.tflite?download=true", MODEL), sha256=sha256(MODEL))
        assert data.locate(ref, "model").name == "my model.tflite"

    def test_a_folder_file_by_file(self, server: Server) -> None:
        for name, content in FOLDER.items():
            server.serve(f"/kws_ref_model/{name}", content)
        ref = Download(url=server.url + "/kws_ref_model/", files={n: sha256(c) for n, c in FOLDER.items()})
        found = data.locate(ref, "model")
        assert found.name == "kws_ref_model"
        assert {n: (found / n).read_bytes() for n in FOLDER} == FOLDER

    def test_another_content_is_not_kept(self, server: Server, home: Path) -> None:
        ref = Download(url=server.serve("/m.h5", b"something else"), sha256=sha256(MODEL))
        error = missing(ref)
        assert f"has sha256 {sha256(b'something else')}, the recipe says {sha256(MODEL)}" in error.message
        assert self.kept(home) == []

    def test_a_transfer_that_breaks_off_is_not_called_a_wrong_digest(
        self, server: Server, home: Path
    ) -> None:
        url = server.serve("/m.h5", MODEL[:100], Content_Length=str(len(MODEL)))
        error = missing(Download(url=url, sha256=sha256(MODEL)))
        assert error.message == f"model: cannot fetch {url}: the connection ended after 100 of 7000 bytes"
        assert self.kept(home) == []

    def test_no_such_file_on_the_server(self, server: Server) -> None:
        error = missing(Download(url=server.url + "/nothing.h5", sha256=sha256(MODEL)))
        assert error.message == f"model: cannot fetch {server.url}/nothing.h5: Not Found"
        assert "EDGEGREEN_ASSETS" in str(error.hint)

    def test_nobody_listens(self) -> None:
        assert (
            "Connection refused"
            in missing(Download(url="https://127.0.0.1:9/m", sha256=sha256(MODEL))).message
        )

    def test_a_certificate_nobody_vouches_for(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SSL_CERT_FILE")
        error = missing(Download(url=server.serve("/m.h5", MODEL), sha256=sha256(MODEL)))
        assert "CERTIFICATE_VERIFY_FAILED" in error.message
        assert server.asked == []

    def test_a_redirect_is_followed_by_https_only(self, server: Server) -> None:
        server.serve("/cdn/m.h5", MODEL)
        by_https = server.serve("/m.h5", b"", 302, Location=server.url + "/cdn/m.h5")
        assert data.locate(Download(url=by_https, sha256=sha256(MODEL)), "model").read_bytes() == MODEL
        for elsewhere in (server.url.replace("https", "http") + "/cdn/m.h5", "ftp://127.0.0.1:9/m.h5"):
            url = server.serve("/plain/m.tflite", b"", 302, Location=elsewhere)
            error = missing(Download(url=url, sha256=sha256(b"other")))
            assert f"it redirects to {elsewhere}, which is not https" in error.message

    def test_an_endless_answer_is_cut_off(
        self, server: Server, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(data, "MAX_DOWNLOAD_BYTES", 1000)
        error = missing(Download(url=server.serve("/m.h5", MODEL), sha256=sha256(MODEL)))
        assert "is larger than 1000 bytes" in error.message
        assert self.kept(home) == []

    def test_a_home_that_cannot_be_written_to(
        self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").write_text("in the way")
        monkeypatch.setenv("EDGEGREEN_HOME", str(tmp_path / "file"))
        error = missing(Download(url=server.serve("/m.h5", MODEL), sha256=sha256(MODEL)))
        assert error.message == f"model: cannot keep it in {tmp_path / 'file' / 'downloads'}: Not a directory"
        assert "EDGEGREEN_HOME" in str(error.hint)


class TestSamples:
    """What is wrong with an npz is said with which data it was and where it lies."""

    def test_opened(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "d.npz", x=np.ones((3, 2), np.float32), y=np.arange(3))
        with data.open_samples(tmp_path / "d.npz", "evaluation") as samples:
            assert samples.n == 3

    @pytest.mark.parametrize("content", ["no zip", "no x", "pickles", "unequal"])
    def test_not_opened(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "d.npz"
        match content:
            case "no zip":
                path.write_bytes(MODEL)
            case "no x":
                np.savez(path, images=np.ones(3))
            case "pickles":
                np.savez(path, x=np.array([{}, []], object))
            case _:
                np.savez(path, x=np.ones((3, 2)), y=np.ones(4))
        with pytest.raises(InputError) as caught:
            data.open_samples(path, "evaluation")
        assert caught.value.message.startswith(f"evaluation data {path}: ")
        assert "\n" not in caught.value.message

    def test_absent(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="No such file"):
            data.open_samples(tmp_path / "d.npz", "calibration")
