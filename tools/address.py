"""The test suite in processes under AddressSanitizer, UBSan and LeakSanitizer.

The extension is built with the three in a copy, together with faults on purpose (tests/c/plants.c).
Reports go to files, one a process, those of the processes that tests start too.

Python, NumPy and others lose some memory of their own. Which, a process that imports them without
bpcore shows; a leak is theirs where its C functions, up to the interpreter's loop, are among those.
No list of names has to be kept, and no name hides a leak of ours.
"""

import os
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from driver import ROOT, Broken, Missing, answer, tool

SANITIZE = "-O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined"
# CPython's own flags make signed overflow defined, and so unseen.
SANITIZE += " -fno-sanitize-recover=undefined -fno-wrapv"

# They compile with flags of their own, count what a process takes, or preload a library themselves.
ELSEWHERE = ["test_c_driver", "test_neon", "test_portability", "test_mutants"]
ELSEWHERE += ["test_measure_coverage", "test_faults", "test_saving", "test_leaks", "test_fuzz"]
# The sanitizers are libraries that the extension needs here, and nowhere else.
LINKED = "tests/test_packaging.py::test_extension_needs_only_the_system_libraries"
QUICK = ["test_core", "test_forward_out", "test_network", "test_second_order", "test_slices"]

# What the tests import, and what the quick ones do: looking for leaks takes 40 s in all of them.
PACKAGES = ["numpy", "scipy.sparse", "sklearn.neural_network", "matplotlib.pyplot", "h5py", "tqdm"]
PACKAGES += ["mpmath", "hypothesis"]
QUICK_PACKAGES = ["numpy", "scipy.sparse"]
FAULTS = {
    "overflow": "heap-buffer-overflow",
    "undefined": "signed integer overflow",
    "leak": "bp_plant_leak",
}
BINDING = '''

cdef extern from *:
    """
    void bp_plant_overflow(void);
    void bp_plant_undefined(void);
    void bp_plant_leak(void);
    """
    void bp_plant_overflow()
    void bp_plant_undefined()
    void bp_plant_leak()


def plant(fault):
    if fault == "overflow":
        bp_plant_overflow()
    elif fault == "undefined":
        bp_plant_undefined()
    else:
        bp_plant_leak()
'''


def build(folder):
    """The package with sanitizers and plants, in a folder for PYTHONPATH."""
    copy, site, compiler = folder / "copy", folder / "site", folder / "cc"
    copy.mkdir()
    for name in ("bpcore", "csrc"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("*.so", "*.pyc"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copy(ROOT / "tests/c/plants.c", copy / "csrc")
    with (copy / "bpcore/_core.pyx").open("a") as source:
        source.write(BINDING)
    # Flags of the environment stand before setup.py's, which would win.
    compiler.write_text(f'#!/bin/sh\nexec {tool("gcc", "gcc")} "$@" {SANITIZE}\n')
    compiler.chmod(0o755)
    command = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site)
    done = answer(*command, copy, environment={**os.environ, "CC": str(compiler)})
    if done.returncode:
        raise Broken(f"the extension does not build with sanitizers:\n{done.stdout[-4000:]}")
    return site


def environment(site, log):
    """For processes that are watched: their reports go to files named log.PROGRAM.NUMBER."""
    libraries = [
        answer("gcc", f"-print-file-name=lib{name}.so").stdout.strip() for name in ("asan", "ubsan")
    ]
    if not all(Path(library).is_absolute() for library in libraries):
        raise Missing(
            "gcc has no libasan and libubsan here (Debian's package libgcc-12-dev has them)"
        )
    common = f"halt_on_error=1:abort_on_error=1:exitcode=0:log_path={log}:log_exe_name=1"
    address = "detect_leaks=1:fast_unwind_on_malloc=0:strict_init_order=1"
    return {
        **os.environ,
        "PYTHONPATH": str(site),
        "PYTHONMALLOC": "malloc",
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": f"{common}:{address}:allocator_may_return_null=1",
        "UBSAN_OPTIONS": f"{common}:print_stacktrace=1",
    }


def complaints(log):
    """The reports of processes of Python, in parts: one part a leak. They are taken away. Programs
    that tests start (ld, tr) have no bpcore in them."""
    for path in sorted(log.parent.glob(f"{log.name}.*")):
        text = path.read_text(errors="replace")
        path.unlink()
        if not path.name.startswith(f"{log.name}.python"):
            continue
        if "LeakSanitizer" not in text:
            yield text
        for part in re.split(r"\n\n+", text):
            if re.match(r"(Direct|Indirect) leak", part.strip()):
                yield part.strip()


def below_the_interpreter(leak):
    """The C functions that lost it, up to the interpreter's loop; a nameless one by its library."""
    frames = re.findall(r"^ +#\d+ 0x[0-9a-f]+ +(?:in (\S+) ?)?(\S*)", leak, re.MULTILINE)
    path = []
    for function, place in frames:
        if function.startswith("_PyEval"):
            break
        path.append(function or re.sub(r"\+0x.*", "", place))
    return tuple(path)


def ours(log, foreign):
    """All complaints but the leaks of others."""
    return [
        part
        for part in complaints(log)
        if "leak of" not in part.split("\n")[0] or below_the_interpreter(part) not in foreign
    ]


def python(code, watched):
    return answer(sys.executable, "-P", "-c", code, environment=watched)


def theirs(packages, log, watched):
    """Paths of leaks that are there without bpcore, package by package: imports differ by order."""
    paths = set()
    for names in (", ".join(packages), *packages):
        python(f"import {names}", watched)  # One that is not installed loses nothing.
        paths |= {below_the_interpreter(leak) for leak in complaints(log)}
    return paths


def see_the_faults(packages, log, watched, foreign):
    for fault, words in FAULTS.items():
        code = f"import {', '.join(packages)}; from bpcore import _core; _core.plant('{fault}')"
        said = python(code, watched).stdout
        said += "".join(ours(log, foreign))
        if words not in said:
            raise Broken(f"{fault} on purpose is not seen:\n{said[-2000:]}")
    said = python("import bpcore._core as c; print('plant' in dir(c))", watched).stdout
    if "True" not in said:
        raise Broken(f"not the extension with sanitizers is tested:\n{said}")


def shares(quick):
    """The test files, dealt to as many processes as there are processors."""
    files = sorted(path for path in (ROOT / "tests").rglob("test_*.py"))
    files = [path for path in files if path.stem not in ELSEWHERE]
    if quick:
        files = [path for path in files if path.stem in QUICK]
    jobs = os.cpu_count() or 1
    return [files[share::jobs] for share in range(jobs)]


def suite(files, watched):
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider"]
    command += ["--deselect", LINKED]
    return answer(*command, *files, seconds=4 * 3600, environment=watched)


def check_address(folder, quick):
    """The whole suite, or the part of it that touches memory most."""
    tool("gcc", "gcc")
    log = folder / "report"
    watched = environment(folder / "site", log)
    build(folder)
    packages = QUICK_PACKAGES if quick else PACKAGES
    foreign = theirs(packages, log, watched)
    see_the_faults(packages, log, watched, foreign)
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda files: suite(files, watched), shares(quick)))
    lasts = [one.stdout.strip().split("\n")[-1].strip("= ") for one in done]
    found = ours(log, foreign)
    if found or any(one.returncode or "runtime error:" in one.stdout for one in done):
        said = [one.stdout[-6000:] for one in done]
        raise Broken(f"{len(found)} reports\n" + "\n\n".join([*found, *said]))
    return f"0 reports, {len(FAULTS)} of {len(FAULTS)} faults seen, {'; '.join(lasts)}"
