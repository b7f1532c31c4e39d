"""The programs of examples/: their pages show what happens, and each of them finds a wrong weight.

The convention: the first ``sh`` block of a README makes the program, in a copy of its folder, and
each other one runs there. What a block prints stands in a ``text`` block right after it, where
``...`` stands for anything; without one nobody looks at it.
"""

import doctest
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests import real_data
from tests.bits import needs_fused
from tests.programs import ROOT, c_compiler

pytestmark = needs_fused
TOOLS = {
    "c": ["bash", "make", c_compiler()[0]],
    "microcontroller": ["bash", "make", "arm-none-eabi-gcc", "qemu-system-arm"],
    "rust": ["bash", "cargo"],
    "javascript": ["bash", "make", "clang", "wasm-ld", "node"],
}
# Compilers for other machines, which may come without a C library.
CROSS = {"microcontroller": ["arm-none-eabi-gcc"], "javascript": ["clang", "--target=wasm32-wasi"]}
NOT_COPIED = shutil.ignore_patterns("build", "target", "node_modules", "predict")
BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:\n?^```text\n(.*?)^```\n)?", re.M | re.S)
SHELL = """\
set -e
python() { "$PYTHON" "$@"; }
bpcore() { python -m bpcore "$@"; }
"""


def blocks(example):
    """(commands, shown) of each block of a page; shown is "..." where nothing follows."""
    text = (ROOT / "examples" / example / "README.md").read_text("utf-8")
    return [(commands, shown or "...\n") for commands, shown in BLOCK.findall(text)]


def run(folder, commands):
    """The finished shell in which commands of a page have run."""
    environment = {**os.environ, "PYTHON": sys.executable, "CC": " ".join(c_compiler())}
    how = {"cwd": folder, "env": environment, "capture_output": True, "text": True}
    return subprocess.run(["bash", "-c", SHELL + commands], **how, timeout=300)


def as_shown(done, shown):
    """Did it end well, and print this?"""
    same = doctest.OutputChecker().check_output(shown, done.stdout, doctest.ELLIPSIS)
    return done.returncode == 0 and same


def need(example):
    """Skips the test where something is missing that the example needs."""
    if os.name != "posix":
        pytest.skip("the commands of the pages are those of a POSIX shell")
    for tool in TOOLS[example]:
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool} here")
    if example in CROSS:
        command = [*CROSS[example], "-include", "string.h", "-E", "-x", "c", os.devnull]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip(f"{' '.join(CROSS[example])} has no C library here")
    if example == "microcontroller":
        real_data.mnist()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A function: example -> its folder, in which the first block has run."""
    folders = {}

    def folder_of(example):
        if example not in folders:
            need(example)
            folders[example] = tmp_path_factory.mktemp("examples") / example
            shutil.copytree(ROOT / "examples" / example, folders[example], ignore=NOT_COPIED)
            commands, shown = blocks(example)[0]
            done = run(folders[example], commands)
            assert as_shown(done, shown), done
        return folders[example]

    return folder_of


def with_onnx(folder):
    """The folder with what ``npm install`` has brought into the checkout."""
    modules = ROOT / "examples" / "javascript" / "node_modules"
    if not modules.exists():
        pytest.skip("onnxruntime-web is not installed: npm install in examples/javascript")
    if importlib.util.find_spec("onnx") is None:
        pytest.skip("onnx is not installed: pip install onnx")
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(modules)


PROGRAMS = [
    pytest.param(example, commands, shown, id=f"{example}: {commands.splitlines()[-1]}")
    for example in TOOLS
    for commands, shown in blocks(example)[1:]
]


@pytest.mark.parametrize(("example", "commands", "shown"), PROGRAMS)
def test_a_program_prints_what_its_page_shows(made, example, commands, shown):
    folder = made(example)
    if "onnx" in commands:
        with_onnx(folder)
    done = run(folder, commands)
    assert as_shown(done, shown), done


# What programs say of a wrong weight.
FOUND = r"\b[1-9]\d* (words differ|numbers differ|with other bits)|do not agree"
REBUILT = {"c": "make -s\n", "javascript": "make -s\n", "microcontroller": ""}  # make run builds.


def plant_in_c(folder):
    """The first bias of the last layer becomes 1, in every file."""
    for path in folder.glob("build/**/*.c"):
        text, count = re.subn(r"(_b2\[\d+\] = \{\n\s*)[^,]+", r"\g<1>1", path.read_text())
        assert count == 1
        path.write_text(text)


def plant_in_safetensors(folder):
    """The last bias becomes 1."""
    (path,) = folder.glob("build/*.safetensors")
    data = bytearray(path.read_bytes())
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])
    last = [name for name in header if name.endswith(".bias")][-1]
    end = begin + header[last]["data_offsets"][1]
    data[end - 4 : end] = b"\0\0\x80\x3f"  # 1 in float32
    path.write_bytes(data)


@pytest.mark.parametrize(("example", "commands", "shown"), PROGRAMS)
def test_a_program_finds_a_wrong_weight(made, tmp_path, example, commands, shown):
    folder = shutil.copytree(made(example), tmp_path / example, symlinks=True)
    if "onnx" in commands:
        with_onnx(folder)
    if example == "rust" or "safetensors" in commands:
        plant_in_safetensors(folder)
    else:
        plant_in_c(folder)
        commands = REBUILT[example] + commands
    done = run(folder, commands)
    assert done.returncode != 0
    assert re.search(FOUND, done.stdout), done


BROWSER = """\
import { readFileSync } from "node:fs";
const paragraph = {}, pictures = [];
const context = {
    createImageData: (width, height) => ({ data: new Uint8ClampedArray(4 * width * height) }),
    putImageData: (picture) => pictures.push(picture.data),
};
const canvas = { width: 400, height: 400, getContext: () => context };
globalThis.document = { querySelector: (name) => (name === "canvas" ? canvas : paragraph) };
globalThis.fetch = async (path) => ({ ok: true, arrayBuffer: async () => readFileSync(path) });
"""
SEEN = """
console.log(paragraph.textContent);
const middle = 400 * 200 + 200;
for (const pixel of [0, middle]) console.log(...pictures[0].slice(4 * pixel, 4 * pixel + 4));
"""


def test_the_page_draws_an_egg(made):
    """In node, with what the page asks of a browser: a file, a canvas and a paragraph."""
    folder = made("javascript")
    text = (folder / "index.html").read_text("utf-8")
    (script,) = re.findall(r'<script type="module">\n(.*)</script>', text, re.S)
    (folder / "page.js").write_text(BROWSER + script + SEEN)
    said, plate, yolk = run(folder, "node page.js").stdout.splitlines()
    assert re.fullmatch(r"0 words differ from bpcore's; the picture took \d+ ms\.", said)
    assert (plate, yolk) == ("120 144 156 255", "255 179 0 255")


def test_every_example_is_in_the_index_and_tested():
    folders = {path.parent.name for path in ROOT.glob("examples/*/make_model.py")}
    index = (ROOT / "examples" / "README.md").read_text("utf-8")
    assert folders == set(re.findall(r"\]\((\w+)/README\.md\)", index)) == set(TOOLS)


def test_every_block_of_commands_is_seen():
    for example in TOOLS:
        text = (ROOT / "examples" / example / "README.md").read_text("utf-8")
        assert text.count("```sh") == len(blocks(example)) > 1
