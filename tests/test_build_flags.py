"""Flags of the environment change no bit: setup.py takes them back, and the core refuses the rest.

The oracle is the build without them, object code by object code, and a process that loads nothing.
A build compiles what has changed, and nothing else; there, files of one line are the oracle.
"""

import ctypes
import os
import shutil
import subprocess
import sys

import pytest

import bpcore
from bpcore import _core
from tests.programs import ROOT

COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not COMPILERS, reason="this wants GCC or Clang on Linux"
)
pytest.importorskip("setuptools", reason="setuptools is not installed")
pytest.importorskip("Cython", reason="setup.py is built with Cython, which is not installed")

FLAGS = ["-ffast-math", "-Ofast", "-funsafe-math-optimizations", "-ffp-contract=fast"]
FLAGS += ["-fassociative-math -freciprocal-math -ffinite-math-only -fno-signed-zeros"]

# The file of the core that refuses other arithmetic, and a line for each freedom that flags give.
GUARD = next(ROOT.glob("csrc/*/build.c")).relative_to(ROOT)
FREEDOMS = """
#if defined(__x86_64__) || defined(__i386__)
__attribute__((target("fma")))
#endif
double contracted(double a, double b, double c) { return a * b + c; }
double reassociated(double a, double b) { return (a + b) - a; }
double reciprocal(double a, double b, double *c) { return *c = b / a, 1 / a; }
double zero_added(double a) { return a + 0.0; }
int not_a_number(double a) { return a != a; }
"""

# setup.py with an extension of these files alone, and with its own flags unless they are left out.
BUILD = """
import runpy, setuptools, sys
setup, sources, keeps_link_flags = setuptools.setup, sys.argv[2:-1], sys.argv[-1] == "True"
def small(ext_modules, cmdclass, options, **rest):
    (core,) = ext_modules
    core.name, core.sources, core.py_limited_api = "small", sources, False
    if not keeps_link_flags:
        core.extra_link_args = []
    command = ["--quiet", "build_ext", "--build-lib", "lib", "--build-temp", "temp"]
    setup(
        name="small", ext_modules=[core], cmdclass=cmdclass, options=options, script_args=command
    )
setuptools.setup = small
runpy.run_path(sys.argv[1])
"""
SUBNORMAL = """
import ctypes, sys
ctypes.CDLL(sys.argv[1])
print(float(sys.argv[2]) * 0.5)
"""


def build(folder, sources, compiler, flags="", keeps_link_flags=True):
    """Build a folder's sources as setup.py does; the library."""
    environment = {**os.environ, "CC": compiler, "CFLAGS": flags, "LDFLAGS": flags}
    for name in ("CPPFLAGS", "LDSHARED", "LDCXXSHARED"):
        environment.pop(name, None)
    command = [sys.executable, "-c", BUILD, ROOT / "setup.py", *sources, str(keeps_link_flags)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (library,) = (folder / "lib").glob("small*.so")
    return library


def build_small(folder, *how):
    """Build two files in an empty folder: ({object's name: object code}, the library)."""
    folder.mkdir()
    (folder / "csrc").symlink_to(ROOT / "csrc")
    (folder / "freedoms.c").write_text(FREEDOMS)
    library = build(folder, [GUARD, "freedoms.c"], *how)
    objects = {path.name: path.read_bytes() for path in (folder / "temp").rglob("*.o")}
    assert len(objects) == 2
    return objects, library


def compiled(compiler, flags, source, folder):
    command = [compiler, "-std=c11", *flags.split(), "-c", source, "-o", folder / "x.o"]
    return subprocess.run(command, capture_output=True, text=True)


def least_normal_halved(library):
    """2^-1023 in a process that has loaded the library, or 0 where it flushes subnormals."""
    command = [sys.executable, "-c", SUBNORMAL, library, repr(sys.float_info.min)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Object code without flags of the environment, by compiler."""
    folder = tmp_path_factory.mktemp("plain")
    return {name: build_small(folder / name, name)[0] for name in COMPILERS}


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_flags_of_the_environment_change_no_object_code_and_keep_subnormals(
    tmp_path, plain, compiler, flags
):
    objects, library = build_small(tmp_path / "small", compiler, flags)
    assert objects == plain[compiler]
    assert least_normal_halved(library) == 2.0**-1023


@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_library_linked_for_fast_math_does_flush_subnormals(tmp_path, compiler):
    """The check above can fail."""
    _, library = build_small(tmp_path / "small", compiler, "-Ofast", False)
    halved = least_normal_halved(library)
    if halved == 2.0**-1023:
        pytest.skip(f"this {compiler} adds no such start to shared libraries")
    assert halved == 0


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_such_flags_would_change_the_object_code(tmp_path, compiler, flags):
    """So can the other, for each of the flags."""
    source, codes = tmp_path / "freedoms.c", []
    source.write_text(FREEDOMS)
    for freedom in ("-ffp-contract=off", flags):
        assert compiled(compiler, f"-O2 {freedom}", source, tmp_path).returncode == 0
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
    done = compiled(compiler, flags, ROOT / GUARD, tmp_path)
    assert done.returncode != 0
    said = "constants_are_doubles" if "constant" in flags else "arithmetic must be that of IEEE 754"
    assert said in done.stderr
    assert compiled(compiler, "", ROOT / GUARD, tmp_path).returncode == 0


@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_build_names_the_compiler_of_the_core(tmp_path, compiler):
    """The compiler's own word for its version stands in what the library says."""
    flags = f"-shared -fPIC -o {tmp_path}/small.so {ROOT / GUARD}"
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


# ---- What is compiled ----------------------------------------------------------------------------

SEEN = '__attribute__((visibility("default"))) int'
TREE = {
    "inner.h": "#define INNER 1\n",
    "outer.h": '#include "inner.h"\n',
    "direct.c": f'#include "inner.h"\n{SEEN} direct(void) {{ return INNER; }}\n',
    "transitive.c": f'#include "outer.h"\n{SEEN} transitive(void) {{ return INNER; }}\n',
    "apart.c": f"{SEEN} apart(void) {{ return 1; }}\n",
}


def write(folder, texts):
    for name, text in texts.items():
        (folder / name).write_text(text)


def times(folder, pattern):
    return {path.stem: path.stat().st_mtime_ns for path in (folder / "temp").rglob(pattern)}


def made(folder, pattern, *how):
    """The names of the files that a build has written anew, and the library."""
    before = times(folder, pattern)
    sources = sorted(path.name for path in folder.iterdir() if path.suffix in (".c", ".pyx"))
    library = build(folder, sources, *how)
    after = times(folder, pattern)
    return {name for name in after if after[name] != before.get(name)}, library


@pytest.mark.long
def test_a_change_compiles_what_includes_it_and_another_flag_everything(tmp_path):
    compiler, every = COMPILERS[0], {"direct", "transitive", "apart"}
    write(tmp_path, TREE)

    def objects(*how):
        return made(tmp_path, "*.o", *how or (compiler,))[0]

    assert objects() == every
    (tmp_path / "inner.h").touch()
    assert objects() == set()
    write(tmp_path, {"inner.h": "#define INNER 2\n"})
    assert objects() == {"direct", "transitive"}
    write(tmp_path, {"outer.h": '#include "inner.h"\nint other(void);\n'})
    os.utime(tmp_path / "outer.h", (0, 0))  # Older than its object, as a copy may be.
    assert objects() == {"transitive"}
    write(tmp_path, {"apart.c": TREE["apart.c"].replace("1", "3")})
    (tmp_path / "temp/direct.o").unlink()
    assert objects() == {"apart", "direct"}
    assert objects(compiler, "-DOTHER") == every
    last, library = made(tmp_path, "*.o", COMPILERS[-1], "-DANOTHER")
    small = ctypes.CDLL(library)
    assert last == every and (small.direct(), small.transitive(), small.apart()) == (2, 2, 3)


def test_a_file_that_did_not_compile_is_not_taken_for_what_it_was(tmp_path):
    write(tmp_path, TREE)
    made(tmp_path, "*.o", COMPILERS[0])
    write(tmp_path, {"inner.h": "int INNER = ;\n"})
    with pytest.raises(AssertionError, match="inner.h"):
        made(tmp_path, "*.o", COMPILERS[0])
    write(tmp_path, {"inner.h": TREE["inner.h"]})
    assert made(tmp_path, "*.o", COMPILERS[0])[0] == {"direct", "transitive"}


@pytest.mark.long
def test_cython_runs_after_a_change_of_the_binding_alone(tmp_path):
    pytest.importorskip("Cython", reason="Cython is not installed")
    binding = {"small.pyx": 'include "part.pxi"\ncdef extern from "inner.h":\n    int INNER\n'}
    write(tmp_path, TREE | binding | {"part.pxi": "answer = 1\n"})

    def generated():
        return made(tmp_path, "small.c", COMPILERS[0])[0]

    assert generated() == {"small"}
    write(tmp_path, {"apart.c": TREE["apart.c"].replace("1", "3")})
    assert generated() == set()
    write(tmp_path, {"part.pxi": "answer = 2\n"})
    assert generated() == {"small"}
