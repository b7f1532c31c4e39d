"""One deadline for all that a mirror does: whatever it drips, the next one is asked."""

import gzip
import socketserver
import threading

import pytest

from bpcore.datasets import _fetch
from tests.data.conftest import NAMES, assert_is, load, tree

PAUSE = 0.02  # seconds between two bytes: each comes well within the patience for one of them
OK = b"HTTP/1.1 200 OK\r\n"


class Dripping(socketserver.ThreadingTCPServer):
    """Answers with a start at once, a part byte by byte, and an end, while the test lasts."""

    daemon_threads = True

    def __init__(self, answer):
        super().__init__(("127.0.0.1", 0), None)
        self.answer, self.asked, self.ended = answer, [], threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/mnist/"
        self.gone = threading.Semaphore(0)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def finish_request(self, request, address):
        with request.makefile("rb") as lines:
            name = lines.readline().split()[1].decode().rsplit("/", 1)[1].removesuffix(".gz")
            while lines.readline().strip():
                pass
        self.asked.append(name)
        start, slowly, end = self.answer(name)
        try:
            request.sendall(start)
            for byte in slowly:
                if self.ended.wait(PAUSE):
                    return
                request.sendall(bytes([byte]))
            request.sendall(end)
        except OSError:
            self.gone.release()


@pytest.fixture
def drip(monkeypatch):
    """Start a dripping server, with short deadlines."""
    monkeypatch.setattr(_fetch, "WAY_SECONDS", 1, raising=False)
    monkeypatch.setattr(_fetch, "ANSWER_SECONDS", 1, raising=False)
    servers = []

    def start(answer):
        servers.append(Dripping(answer))
        return servers[0]

    yield start
    for server in servers:
        server.ended.set()
        server.shutdown()
        server.server_close()


def header(content):
    return b"Content-Length: %d\r\n\r\n" % len(content)


SLOWLY = b"X: " + b"y" * 200 + b"\r\n"  # A header of four seconds.


def dripping_content(packed):
    return OK + header(packed) + packed[:-200], packed[-200:], b""


# What comes at once, byte by byte, and at once, of an answer that is right in the end.
ANSWERS = {
    "headers": lambda packed: (OK, SLOWLY, header(packed) + packed),
    "content": dripping_content,
    "length of a chunk": lambda packed: (
        OK + b"Transfer-Encoding: chunked\r\n\r\n",
        b"%0200x\r\n" % len(packed),
        packed + b"\r\n0\r\n\r\n",
    ),
    "trailers": lambda packed: (
        OK + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(packed) + packed + b"\r\n0\r\n",
        SLOWLY,
        b"\r\n",
    ),
    "page of a redirection": lambda packed: (
        b"HTTP/1.1 302 Found\r\nLocation: /other\r\n" + header(SLOWLY),
        SLOWLY,
        b"",
    ),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_mirror_that_drips_is_left_for_the_next_one(
    tiny, tmp_path, monkeypatch, serve, drip, answer
):
    slow = drip(lambda name: answer(gzip.compress(tiny[name])))
    (quick,) = serve(lambda name: gzip.compress(tiny[name]))
    monkeypatch.setattr(_fetch, "MIRRORS", (slow.url, quick.url))
    assert_is(tiny, load())
    assert slow.asked == NAMES[:1] and quick.asked == NAMES
    assert tree(tmp_path / "cache") == {f"mnist/{name}": tiny[name] for name in NAMES}


def test_what_a_slow_mirror_gave_in_time_is_kept(tiny, monkeypatch, serve, drip):
    """The deadline is that of the mirror, not of a file: the second file meets it."""

    def answer(name):
        packed = gzip.compress(tiny[name])
        is_first = name == NAMES[0]
        return (OK + header(packed) + packed, b"", b"") if is_first else (OK, SLOWLY, b"")

    slow = drip(answer)
    (quick,) = serve(lambda name: gzip.compress(tiny[name]))
    monkeypatch.setattr(_fetch, "MIRRORS", (slow.url, quick.url))
    assert_is(tiny, load())
    assert slow.asked == NAMES[:2] and quick.asked == NAMES[1:]


def test_the_error_says_that_the_mirror_was_slow(tiny, monkeypatch, drip):
    slow = drip(lambda name: dripping_content(gzip.compress(tiny[name])))
    monkeypatch.setattr(_fetch, "MIRRORS", (slow.url,))
    with pytest.raises(FileNotFoundError, match="it was not complete within 1 s"):
        load()


def test_a_mirror_that_is_late_is_not_read_any_longer(tiny, monkeypatch, drip):
    slow = drip(lambda name: (OK + header(bytes(10000)), bytes(10000), b""))
    monkeypatch.setattr(_fetch, "MIRRORS", (slow.url,))
    with pytest.raises(FileNotFoundError):
        load()
    assert slow.gone.acquire(timeout=30)  # It sends into a connection that is closed.


def test_no_answer_is_read_beyond_what_a_file_may_have(tiny, monkeypatch, serve):
    (mirror,) = serve(lambda name: gzip.compress(tiny[name]))
    monkeypatch.setattr(_fetch, "MAX_DOWNLOAD", 100)
    monkeypatch.setattr(_fetch, "PIECE", 64, raising=False)
    with pytest.raises(FileNotFoundError, match="its end is cut off|cut short"):
        load()
    assert mirror.asked == [NAMES[0]] * _fetch.TRIES
