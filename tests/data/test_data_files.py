"""Published files: where they are looked for, how they are verified, and what a failed download leaves behind."""

import functools
import hashlib
import http.server
import re
import threading
from pathlib import Path

import pytest

from graphcert.data import REGISTRY, describe_datasets, load_dataset
from graphcert.data import published_files as files_module
from graphcert.data.published_files import RemoteFile, cache_folder, data_folders, locate, read_file
from graphcert.errors import DataError

CONTENT = b"published bytes"
NOWHERE = "http://127.0.0.1:9/file.npz"  # the discard port: refused at once


def remote(path="folder/file.npz", url=NOWHERE, content=CONTENT):
    return RemoteFile(path, url, len(content), hashlib.sha256(content).hexdigest())


@pytest.fixture(autouse=True)
def empty_machine(monkeypatch, tmp_path):
    """No data anywhere: own cache, own working folder, no environment, no checkout."""
    for name in ("GRAPHCERT_DATA", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(files_module, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(files_module, "__file__", str(tmp_path / "site" / "graphcert" / "data" / "files.py"))
    return tmp_path


def put(folder, path="folder/file.npz", content=CONTENT):
    file = Path(folder) / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def leftovers(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_the_real_cache_belongs_to_graphcert():
    assert cache_folder().is_absolute()
    assert "graphcert" in str(cache_folder())


def test_folders_are_searched_in_order(empty_machine, monkeypatch):
    here = empty_machine
    (here / "site").mkdir()
    (here / "site" / "pyproject.toml").touch()
    monkeypatch.setenv("GRAPHCERT_DATA", str(here / "environment"))
    order = [here / "root", here / "environment", here / "work/datasets", here / "site/datasets", here / "cache"]
    assert data_folders(here / "root") == order
    assert data_folders() == order[1:]
    for folder in reversed(order):
        expected = put(folder)
        assert locate(remote(), here / "root") == (expected, CONTENT)


def test_a_file_may_lie_directly_in_the_folder(empty_machine):
    expected = put(empty_machine / "root", "file.npz")
    assert locate(remote(), empty_machine / "root") == (expected, CONTENT)


def test_a_root_without_the_file_is_passed_over(empty_machine):
    expected = put("datasets")
    for root in (empty_machine / "absent", empty_machine / "work", expected):
        path, _ = locate(remote(), root)
        assert path == expected.absolute()


def test_home_is_expanded(empty_machine, monkeypatch):
    monkeypatch.setenv("HOME", str(empty_machine))
    expected = put(empty_machine / "mine")
    assert locate(remote(), "~/mine") == (expected, CONTENT)


@pytest.mark.parametrize("content", [CONTENT[:-1], b"", b"tampered bytes!"])
def test_a_truncated_or_tampered_file_is_refused_with_both_checksums(empty_machine, content):
    file = put(empty_machine / "root", content=content)
    put("datasets")  # a good copy further down does not excuse the bad one
    with pytest.raises(DataError) as caught:
        read_file(remote(), empty_machine / "root")
    message = str(caught.value)
    assert message.startswith(f"{file} is not the published file: expected sha256 {remote().sha256} (15 bytes)")
    assert f"found sha256 {hashlib.sha256(content).hexdigest()} ({len(content)} bytes)" in message
    assert "\n" not in message


def test_a_file_that_cannot_be_read_is_named(empty_machine, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    put(empty_machine / "root")
    monkeypatch.setattr(files_module, "open_regular", refuse)
    with pytest.raises(DataError, match=r"file\.npz cannot be read \(Permission denied\); make it readable"):
        locate(remote(), empty_machine / "root")


def test_no_file_and_no_network_say_where_was_looked_and_what_to_do(empty_machine):
    with pytest.raises(DataError) as caught:
        read_file(remote(), empty_machine / "root")
    message = str(caught.value)
    for folder in data_folders(empty_machine / "root"):
        assert str(folder) in message
    assert f"its download from {NOWHERE} failed" in message
    assert message.endswith("name its folder with --data-root or GRAPHCERT_DATA")
    assert "\n" not in message
    assert leftovers(empty_machine) == []


@pytest.fixture
def server(tmp_path):
    """An address whose files are those of tmp_path/served."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    (tmp_path / "served").mkdir()
    handler = functools.partial(Quiet, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


def test_a_download_is_verified_and_kept(empty_machine, server):
    served = put(empty_machine / "served", "file.npz")
    file = remote(url=f"{server}/file.npz")
    assert read_file(file) == CONTENT
    assert leftovers(empty_machine / "cache") == [empty_machine / "cache/folder/file.npz"]
    served.unlink()
    assert read_file(file) == CONTENT  # from the cache now


def test_a_download_with_other_content_leaves_nothing(empty_machine, server):
    put(empty_machine / "served", "file.npz", b"something else")
    with pytest.raises(DataError, match=f"has not the expected sha256 {remote().sha256}"):
        read_file(remote(url=f"{server}/file.npz"))
    assert leftovers(empty_machine / "cache") == []


def test_an_address_without_the_file_leaves_nothing(empty_machine, server):
    with pytest.raises(DataError, match=r"failed \(HTTPError\)"):
        read_file(remote(url=f"{server}/absent.npz"))
    assert leftovers(empty_machine / "cache") == []


def test_a_cache_that_cannot_be_written_is_one_sentence(empty_machine, server):
    put(empty_machine / "served", "file.npz")
    (empty_machine / "cache").write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"its download from .* failed"):
        read_file(remote(url=f"{server}/file.npz"))


def test_the_list_of_data_sets_downloads_nothing_and_tells_where_files_are(empty_machine, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("describe_datasets must not download")

    monkeypatch.setattr(files_module.pooch, "retrieve", refuse)
    where = {row.name: row.where for row in describe_datasets(empty_machine / "root")}
    assert where.pop("digits") == "embedded"
    assert where.pop("synthetic") == "generated"
    assert where == dict.fromkeys(set(REGISTRY) - {"digits", "synthetic"}, "download")
    put(empty_machine / "root", "cora.npz", b"damaged")
    row = next(row for row in describe_datasets(empty_machine / "root") if row.name == "cora")
    assert row.where.startswith(f"damaged: {empty_machine / 'root' / 'cora.npz'} is not the published file")
    (published,) = REGISTRY["cora"].files
    monkeypatch.setattr(files_module, "_verify", lambda *_: None)
    row = next(row for row in describe_datasets(empty_machine / "root") if row.name == "cora")
    assert (row.where, published.path) == (str(empty_machine / "root"), "cora.npz")


def test_loading_a_damaged_data_set_shows_the_expected_checksum(empty_machine):
    put(empty_machine / "root", "cora_ml.npz", b"PK damaged")
    with pytest.raises(DataError, match=REGISTRY["cora_ml"].files[0].sha256):
        load_dataset("cora_ml", empty_machine / "root")


@pytest.mark.parametrize(
    "file", [file for entry in REGISTRY.values() for file in entry.files], ids=lambda file: file.path
)
def test_every_published_file_is_pinned_by_commit_size_and_checksum(file):
    assert re.match(
        r"https://(github\.com/[\w-]+/[\w-]+/raw|raw\.githubusercontent\.com/[\w-]+/[\w-]+)/[0-9a-f]{40}/", file.url
    )
    assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
    assert 0 < file.size < 10**7


def test_every_data_set_names_its_source_and_licence():
    assert all(entry.source and entry.licence for entry in REGISTRY.values())


def test_every_published_file_is_described_in_the_datasets_folder():
    readme = (Path(__file__).resolve().parents[2] / "datasets" / "README.md").read_text()
    for entry in REGISTRY.values():
        assert f"`{entry.name}`" in readme
        for file in entry.files:
            assert f"| {file.path} | {file.size} | {file.sha256} | {file.url} |" in readme
