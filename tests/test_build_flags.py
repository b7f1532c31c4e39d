"""Flags of the environment change no bit: setup.py takes them back, and the core refuses the rest.

The oracle is the build without them, object code by object code, and a process that loads nothing.
"""

import ctypes
import os
import platform
import shutil
import subprocess
import sys

import pytest

import bpcore
from bpcore import _core
from tests.programs import ROOT

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="gcc and clang are GCC and Clang on Linux alone"
)
pytest.importorskip("setuptools", reason="setuptools is not installed")

COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]
FLAGS = ["-ffast-math", "-Ofast", "-funsafe-math-optimizations", "-ffp-contract=fast"]
FLAGS += ["-fassociative-math -freciprocal-math -ffinite-math-only -fno-signed-zeros"]
# A file whose functions have fused multiply-add, with one that has none.
FUSED = "generic_fma" if platform.machine() in ("x86_64", "AMD64") else "generic"
SOURCES = ["csrc/base/build.c", f"csrc/kernels/kernels_{FUSED}.c"]

# setup.py with a core of these files alone, and with its own flags unless they are left out.
BUILD = """
import runpy, setuptools, sys
setup, sources, keeps_link_flags = setuptools.setup, sys.argv[2:-1], sys.argv[-1] == "True"
def small(ext_modules, cmdclass, **rest):
    (core,) = ext_modules
    core.name, core.sources, core.py_limited_api = "small", sources, False
    if not keeps_link_flags:
        core.extra_link_args = []
    command = ["--quiet", "build_ext", "--build-lib", "lib", "--build-temp", "temp"]
    setup(name="small", ext_modules=[core], cmdclass=cmdclass, script_args=command)
setuptools.setup = small
runpy.run_path(sys.argv[1])
"""
SUBNORMAL = """
import ctypes, sys
ctypes.CDLL(sys.argv[1])
print(float(sys.argv[2]) * 0.5)
"""


def build(folder, compiler, flags, keeps_link_flags=True):
    """Build a small core in an empty folder: ({source: object code}, the library)."""
    folder.mkdir()
    (folder / "csrc").symlink_to(ROOT / "csrc")
    environment = {**os.environ, "CC": compiler, "CFLAGS": flags, "LDFLAGS": flags}
    for name in ("CPPFLAGS", "LDSHARED", "LDCXXSHARED"):
        environment.pop(name, None)
    command = [sys.executable, "-c", BUILD, ROOT / "setup.py", *SOURCES, str(keeps_link_flags)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    objects = {path.name: path.read_bytes() for path in (folder / "temp").rglob("*.o")}
    (library,) = (folder / "lib").rglob("small*.so")
    assert len(objects) == len(SOURCES)
    return objects, library


def compiled(compiler, flags, source, folder):
    command = [compiler, "-std=c11", *flags.split(), "-c", ROOT / source, "-o", folder / "x.o"]
    return subprocess.run(command, capture_output=True, text=True)


def least_normal_halved(library):
    """2^-1023 in a process that has loaded the library, or 0 where it flushes subnormals."""
    command = [sys.executable, "-c", SUBNORMAL, library, repr(sys.float_info.min)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Object code without flags of the environment, by compiler."""
    folder = tmp_path_factory.mktemp("plain")
    return {name: build(folder / name, name, "")[0] for name in COMPILERS}


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_flags_of_the_environment_change_no_object_code_and_keep_subnormals(
    tmp_path, plain, compiler, flags
):
    objects, library = build(tmp_path / "small", compiler, flags)
    assert objects == plain[compiler]
    assert least_normal_halved(library) == 2.0**-1023


@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_library_linked_for_fast_math_does_flush_subnormals(tmp_path, compiler):
    """The check above can fail."""
    _, library = build(tmp_path / "small", compiler, "-Ofast", keeps_link_flags=False)
    halved = least_normal_halved(library)
    if halved == 2.0**-1023:
        pytest.skip(f"this {compiler} adds no such start to shared libraries")
    assert halved == 0


@pytest.mark.parametrize("compiler", COMPILERS[:1])
def test_contraction_would_change_the_object_code(tmp_path, compiler):
    """So can the other."""
    codes = []
    for contraction in ("off", "fast"):
        flags = f"-O2 -ffp-contract={contraction}"
        assert compiled(compiler, flags, SOURCES[1], tmp_path).returncode == 0
        codes.append((tmp_path / "x.o").read_bytes())
    assert codes[0] != codes[1]


REFUSED = {
    "gcc": ["-ffast-math", "-Ofast", "-ffinite-math-only", "-freciprocal-math"]
    + ["-fassociative-math -fno-signed-zeros -fno-trapping-math", "-fno-signed-zeros"]
    + ["-funsafe-math-optimizations", "-fsingle-precision-constant"],
    "clang": ["-ffast-math", "-Ofast", "-ffinite-math-only"],  # It tells of no more.
}


@pytest.mark.parametrize(
    ("compiler", "flags"), [(name, flags) for name in COMPILERS for flags in REFUSED[name]]
)
def test_the_core_refuses_to_be_compiled_for_other_arithmetic(tmp_path, compiler, flags):
    done = compiled(compiler, flags, SOURCES[0], tmp_path)
    assert done.returncode != 0
    said = "constants_are_doubles" if "constant" in flags else "arithmetic must be that of IEEE 754"
    assert said in done.stderr
    assert compiled(compiler, "", SOURCES[0], tmp_path).returncode == 0


@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_build_names_the_compiler_of_the_core(tmp_path, compiler):
    """The compiler's own word for its version stands in what the library says."""
    flags = f"-shared -fPIC -o {tmp_path}/small.so {ROOT / SOURCES[0]}"
    subprocess.run([compiler, *flags.split()], check=True)
    library = ctypes.CDLL(tmp_path / "small.so")
    library.bp_compiler.restype = ctypes.c_char_p
    name = library.bp_compiler().decode()
    version = subprocess.run(
        [compiler, "-dumpfullversion" if compiler == "gcc" else "-dumpversion"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    assert version in name and compiler in name.lower()


def test_info_asks_the_core_for_its_compiler(monkeypatch):
    monkeypatch.setattr(_core, "compiler", lambda: "the compiler of the core")
    assert bpcore.info()["build"] == "the compiler of the core"
