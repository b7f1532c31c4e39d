"""The browser page as tests see it: its modules in node, its build, a server, two browsers."""

import contextlib
import functools
import http.server
import io
import json
import re
import shutil
import subprocess
import threading

import pytest

from tests.programs import ROOT, load

WEB = ROOT / "web"
web = load(ROOT / "tools/web.py")


def node():
    try:
        return web.wasm.node()
    except web.Missing as error:
        pytest.skip(str(error))


def in_node(script, given=None, *options):
    """What a module of JavaScript tells: it has `given`, WEB to import from, and tell(value)."""
    head = f"""
        const given = {json.dumps(given)}, WEB = {json.dumps(WEB.as_uri())};
        const tell = (value) => console.log(JSON.stringify(value));
        const bits = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength)
          .toString("hex");
    """
    command = [*node(), *options, "--input-type=module", "-"]
    done = subprocess.run(command, input=head + script, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def printed(lines, namespace=None):
    """What lines of Python print."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(lines, "the page", "exec"), {} if namespace is None else namespace)
    return out.getvalue().strip()


def build(folder):
    """The page, or the reason why there is none here."""
    try:
        sizes = web.build(folder)
    except web.Missing as error:
        pytest.skip(str(error))
    except FileNotFoundError:
        pytest.skip("MNIST is neither in BPCORE_DATA nor in the cache, and tests download nothing")
    return folder, sizes


class _Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        name = self.path.split("?")[0].lstrip("/")
        if name in self.server.instead:
            content = self.server.instead[name]
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        else:
            super().do_GET()

    def copyfile(self, source, outputfile):
        content = source.read()
        self.server.sent += len(content)
        outputfile.write(content)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder, instead=None):
    """A file server: its `address`, and `sent`, how many bytes; `instead` changes some files."""
    handler = functools.partial(_Handler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.sent, server.instead = 0, instead or {}
    server.address = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def start(playwright, name):
    """Debian's Chromium or Firefox, or another one of that name."""
    names = {"chromium": ("chromium", "google-chrome"), "firefox": ("firefox-esr", "firefox")}
    path = next(filter(None, map(shutil.which, names[name])), None)
    if path is None:
        pytest.skip(f"there is no {name} here (Debian's package {names[name][0]} has it)")
    if name == "chromium":
        # In a container the user is often root, for whom Chromium has no sandbox.
        return playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
    return playwright.firefox.launch(executable_path=path, channel="moz-firefox")


class Visit:
    """A page in a browser, with all that it asks for and complains about."""

    def __init__(self, browser, server, address="", **context):
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.requests, self.complaints = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(server.address + address)
        self.until("#fingerprint", r"^[0-9a-f]{64}$")

    def _hear(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def until(self, place, pattern, seconds=60):
        """Waits until the text at a place has the pattern; that text."""
        from playwright.sync_api import expect

        found = self.page.locator(place)
        expect(found).to_have_text(re.compile(pattern), timeout=1000 * seconds)
        return found.text_content()

    def text(self, place):
        return self.page.locator(place).text_content()

    def train(self, seconds=60):
        """Presses Train and waits until it has paused; (epochs, accuracy in percent)."""
        before = int(self.text("#at-epoch"))
        self.page.click("#train")
        self.page.wait_for_timeout(100)
        self.until("#train", "^Train$", seconds)
        assert int(self.text("#at-epoch")) > before
        return int(self.text("#at-epoch")), float(self.text("#at-accuracy").split()[0])

    def choose(self, **settings):
        for name, value in settings.items():
            self.page.select_option(f"#{name}", value)

    def draw(self, strokes):
        """Strokes in a square of 100, with the pointer."""
        pad = self.page.locator("#pad")
        pad.scroll_into_view_if_needed()
        box = pad.bounding_box()
        mouse = self.page.mouse
        for stroke in strokes:
            way = [
                (box["x"] + x * box["width"] / 100, box["y"] + y * box["height"] / 100)
                for x, y in stroke
            ]
            mouse.move(*way[0])
            mouse.down()
            for point in way[1:]:
                mouse.move(*point)
            mouse.up()
