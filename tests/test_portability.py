"""The core compiles for machines that are not here; the checkers of tools/ are seen to fail.

What the commands run takes minutes: `python tools/portability.py`, `python tools/sanitizers.py`.
"""

import re
import shutil
import subprocess
import sys

import pytest

from tests.programs import ROOT, c_compiler  # isort: split

# These are in tools/, which is in the path now.
import address
import big_endian
import driver
import portability
import sanitizers

# Words that windows.h defines as macros, for the systems of its youth.
WINDOWS = "near far pascal cdecl small hyper interface min max IN OUT OPTIONAL CONST VOID ERROR"
COMPILERS = {
    "gcc": (),
    "clang": (),
    "musl-gcc": (),
    "i686-linux-gnu-gcc": ("-msse2", "-mfpmath=sse"),
    "aarch64-linux-gnu-gcc": (),
    "s390x-linux-gnu-gcc": ("-fexcess-precision=fast",),
    "x86_64-w64-mingw32-gcc-posix": (),
}


def words_of_windows(c):
    code = re.sub(r"/\*.*?\*/|//[^\n]*|^\s*#\s*include.*?$", " ", c, flags=re.DOTALL | re.M)
    return sorted(set(WINDOWS.split()) & set(re.findall(r"\b[A-Za-z_]\w*\b", code)))


def test_no_name_of_the_core_is_a_word_of_windows_headers():
    for path in sorted([*ROOT.glob("csrc/**/*.[ch]"), *ROOT.glob("tests/c/*.[ch]")]):
        assert words_of_windows(path.read_text("utf-8")) == [], path


def test_a_word_of_windows_headers_is_seen():
    assert words_of_windows("/* far */ const size_t near = size_max(a, b);") == ["near"]


def check_syntax(compiler, *flags):
    """Every file of the core, with warnings as errors, without making code of it."""
    sources = sorted((ROOT / "csrc").rglob("*.c"))
    command = [*compiler, *driver.FLAGS, *driver.WARNINGS, *flags, "-O2", "-fsyntax-only"]
    command += map(str, sources)
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_core_compiles_without_a_warning(compiler):
    if not shutil.which(compiler):
        pytest.skip(f"there is no {compiler} here")
    done = check_syntax([compiler], *COMPILERS[compiler])
    assert done.returncode == 0, done.stderr[-4000:]


def compiles_alone(template, folder):
    """Does a template need nothing that it does not include? It may expect BITS and kernels.h."""
    source = folder / "alone.c"
    source.write_text(
        f'#include "kernels/kernels.h"\n#define BITS 32\n#include "{template.as_posix()}"\n'
    )
    command = [*c_compiler(), *driver.FLAGS, "-fsyntax-only", str(source)]
    return subprocess.run(command, capture_output=True, timeout=600).returncode == 0


def test_every_template_above_the_kernels_includes_what_it_needs(tmp_path):
    if not shutil.which(c_compiler()[0]):
        pytest.skip("there is no C compiler here")
    rooms = [ROOT / "csrc" / room for room in ("linalg", "nn", "api")]
    templates = [path for room in rooms for path in sorted(room.glob("*_template.h"))]
    assert len(templates) > 20
    assert [path.name for path in templates if not compiles_alone(path, tmp_path)] == []


def test_a_template_that_counts_on_others_is_seen(tmp_path):
    if not shutil.which(c_compiler()[0]):
        pytest.skip("there is no C compiler here")
    (tmp_path / "lazy_template.h").write_text('#include "base/sizes.h"\nstatic NAME(pass) p;\n')
    assert not compiles_alone(tmp_path / "lazy_template.h", tmp_path)


def test_a_build_that_keeps_excess_digits_is_refused():
    compiler = c_compiler()
    if not shutil.which(compiler[0]):
        pytest.skip(f"there is no C compiler {compiler[0]!r} here")
    done = check_syntax(compiler, "-U__FLT_EVAL_METHOD__", "-D__FLT_EVAL_METHOD__=2")
    assert done.returncode != 0 and "float keeps excess digits" in done.stderr


# ---- Files between machines ----------------------------------------------------------------------


@pytest.fixture
def exchange():
    """What tools/big_endian.py runs on two machines, here on one."""
    return [sys.executable, "-P", str(ROOT / "tests/exchange.py")]


def test_what_a_machine_makes_it_reads_and_goes_on_from(exchange, tmp_path):
    assert big_endian.exchange(tmp_path, exchange, exchange, sys.byteorder) == (13, 17)


def test_one_byte_of_a_file_is_seen(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, content in ((one, b"ab"), (other, b"ba")):
        folder.mkdir()
        (folder / "model").write_bytes(content)
    assert big_endian.same_files(one, one) == 1
    with pytest.raises(driver.Broken, match="one and other differ in model"):
        big_endian.same_files(one, other)


def test_numbers_in_the_other_order_are_seen(exchange, tmp_path):
    made, copied = tmp_path / "made", tmp_path / "copied"
    made.mkdir()
    copied.mkdir()
    big_endian.run(exchange, sys.byteorder, "make", made)
    content = (made / "0B-idx").read_bytes()
    (made / "0B-idx").write_bytes(content[:8] + content[-1:7:-1])
    with pytest.raises(driver.Broken, match="AssertionError: .'0B'"):
        big_endian.run(exchange, sys.byteorder, "copy", made, copied)


# ---- The checkers fail ---------------------------------------------------------------------------


def ended(said, status=0):
    return subprocess.CompletedProcess([], status, said)


@pytest.mark.parametrize(
    "said, status",
    [
        ("20000 passed, 1 failed\n", 0),
        ("20000 passed, 0 failed\n", 1),
        ("generic f32 matmul 0123456789abcdef\n", 0),
        ("12 passed, 0 failed\n", 0),
    ],
)
def test_a_driver_that_found_something_or_did_not_end_is_seen(said, status):
    with pytest.raises(driver.Broken):
        driver.hashes(ended(said, status))


def test_results_are_read_among_other_lines():
    found, last = driver.hashes(
        ended("wine: created\ngeneric f32 matmul 0123456789abcdef\r\n20000 passed, 0 failed\n\n")
    )
    assert found == {("generic", "f32", "matmul"): "0123456789abcdef"}
    assert last == "20000 passed, 0 failed"


def test_another_bit_or_a_missing_table_of_another_machine_is_seen():
    here = {("avx2", "f32", "matmul"): "1"}
    machine = portability.MACHINES["aarch64"]
    assert portability.compare(machine, here, {("neon", "f32", "matmul"): "1"}) == 1
    with pytest.raises(driver.Broken, match="2 is not 1"):
        portability.compare(machine, here, {("neon", "f32", "matmul"): "2"})
    with pytest.raises(driver.Broken, match="no table of kernels for neon"):
        portability.compare(machine, here, {("generic", "f32", "matmul"): "1"})


def test_a_sanitizer_that_sees_nothing_is_seen():
    silent = [sys.executable, "-c", "pass"]
    with pytest.raises(driver.Broken, match="does not see leak"):
        sanitizers.see(silent, "leak", "definitely lost")


LEAK = """
Direct leak of 80 byte(s) in 1 object(s) allocated from:
    #0 0x7f malloc asan.cpp:69 (/lib/libasan.so)
    #1 0x7f PyBytes_FromStringAndSize bytesobject.c:27 (/lib/libpython.so)
    #2 0x7f load file.c:12 (/site/{caller}.so)
    #3 0x7f _PyEval_EvalFrameDefault Python/ceval.c:4769 (/lib/libpython.so)
    #4 0x7f call file.c:34 (/site/bpcore/_core/binding.so)

"""


def test_a_leak_of_ours_is_told_from_theirs(tmp_path):
    log = tmp_path / "report"
    text = "==1==ERROR: LeakSanitizer: detected memory leaks\n" + LEAK + "SUMMARY: 80 byte(s)\n"
    theirs, ours = (
        text.format(caller="numpy/_core/_ufunc"),
        text.format(caller="bpcore/_core/binding"),
    )
    (tmp_path / "report.python3.11.6").write_text(theirs)
    (tmp_path / "report.python3.11.7").write_text(ours)
    (tmp_path / "report.tr.8").write_text(ours)
    kept = address.ours(log)
    assert len(kept) == 1 and "bpcore/_core/binding.so" in kept[0].split("_PyEval")[0]


def test_a_report_of_wrong_memory_is_never_theirs(tmp_path):
    report = "ERROR: AddressSanitizer: heap-buffer-overflow" + LEAK.format(caller="numpy")[60:]
    (tmp_path / "report.python3.11.5").write_text(report)
    assert address.ours(tmp_path / "report") == [report]
