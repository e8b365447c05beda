"""Weights are downloaded once, and only the known file is taken."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from QSMReconLib.errors import InputError
from QSMReconLib.files.weights import Weights


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.bin"
    path.write_bytes(np.arange(100, dtype="<f4").tobytes())
    return path


def weights(source):
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    return Weights("net.bin", source.as_uri(), digest)


def test_the_file_is_downloaded_once_into_the_cache(source, tmp_path, monkeypatch):
    monkeypatch.delenv("SLICERQSM_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    wanted = weights(source)
    np.testing.assert_array_equal(wanted.load(), np.arange(100))
    assert wanted.path() == tmp_path / "cache" / "slicerqsm" / "net.bin"
    assert [p.name for p in wanted.path().parent.iterdir()] == ["net.bin"]
    source.unlink()
    np.testing.assert_array_equal(wanted.load(), np.arange(100))


def test_the_user_names_a_folder_or_a_file(source, tmp_path, monkeypatch):
    wanted = weights(source)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "net.bin").write_bytes(source.read_bytes())
    nowhere = Weights("net.bin", (tmp_path / "gone").as_uri(), wanted.sha256)
    monkeypatch.setenv("SLICERQSM_WEIGHTS", str(tmp_path / "mine"))
    assert nowhere.load().size == 100
    monkeypatch.setenv("SLICERQSM_WEIGHTS", str(tmp_path / "other"))
    with pytest.raises(
        InputError, match=r"cannot be downloaded .*gone at .*other.net\.bin by hand"
    ):
        nowhere.load()
    assert not (tmp_path / "other").exists()
    assert nowhere.load(source).size == 100


def test_another_file_is_refused_and_not_kept(source, tmp_path, monkeypatch):
    monkeypatch.setenv("SLICERQSM_WEIGHTS", str(tmp_path / "cache"))
    other = Weights("net.bin", source.as_uri(), "0" * 64)
    with pytest.raises(InputError, match=r"what came from .* is not the known file"):
        other.load()
    assert not (tmp_path / "cache").exists()
    with pytest.raises(InputError, match=r"the file .*source\.bin is not the known file"):
        other.load(source)


class Breaking(BaseHTTPRequestHandler):
    """Ends in the middle of the file."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "400")
        self.end_headers()
        self.wfile.write(b"a part")

    def log_message(self, *_words):
        pass


def test_a_download_that_breaks_off_is_one_sentence_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("SLICERQSM_WEIGHTS", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with HTTPServer(("127.0.0.1", 0), Breaking) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/net.bin"
        with pytest.raises(InputError, match=r"cannot be downloaded \(IncompleteRead") as error:
            Weights("net.bin", url, "0" * 64).load()
        thread.join()
    assert "\n" not in str(error.value)
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_written_is_named(source, tmp_path, monkeypatch):
    wanted = weights(source)
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SLICERQSM_WEIGHTS", str(tmp_path / "file" / "cache"))
    with pytest.raises(InputError, match=r"cannot be kept .*variable SLICERQSM_WEIGHTS"):
        wanted.load()
    monkeypatch.setenv("SLICERQSM_WEIGHTS", str(tmp_path / "cache"))

    def full(_path, _data):
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match=r"cannot be kept .*No space left"):
        wanted.load()
    assert list((tmp_path / "cache").iterdir()) == []
