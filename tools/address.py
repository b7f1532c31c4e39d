"""The test suite in processes under AddressSanitizer, UBSan and LeakSanitizer.

The extension is built with the three in a copy, together with faults on purpose (tests/c/plants.c).
Reports go to files, one a process, those of the processes that tests start too.

Python, NumPy and others lose memory of their own. A leak is told by module: it is ours where the
extension is among the callers that asked for the memory, up to the interpreter's loop.
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

# They compile with flags of their own, count what a process takes, preload a library themselves, or
# send a signal at a moment that a slow build has not reached.
ELSEWHERE = ["test_c_driver", "test_neon", "test_portability", "test_mutants", "test_interrupts"]
ELSEWHERE += ["test_measure_coverage", "test_faults", "test_saving", "test_leaks"]
# The sanitizers are libraries that the extension needs here, and nowhere else, and the plants are
# names of it; the sanitizers' allocator is locked for ever in a child that is forked while another
# thread allocates; a process that has given up its rights cannot write their report.
NOT_HERE = ["test_packaging.py::test_extension_needs_only_the_system_libraries"]
NOT_HERE += ["test_packaging.py::test_package_is_typed_and_its_extension_has_a_stub"]
# libFuzzer has sanitizers of its own; what is planted asks for more memory than there is.
NOT_HERE += ["test_fuzz.py::test_the_engine_finds", "test_fuzz.py::test_each_broken_law_is_seen"]
NOT_HERE += ["test_threads.py::test_a_process_may_fork_after_and_between_threaded_calls"]
NOT_HERE += ["test_threads.py::test_a_process_that_gets_no_threads_computes_alone"]
LEAST = {True: 500, False: 6000}  # Tests that pass, quick or not: fewer, and they did not run.
QUICK = [
    "test_alignment",
    "test_core",
    "test_forward",
    "test_fuzz",
    "test_network",
    "test_second_order",
    "test_shared_batch",
    "test_slices",
]
QUICK_LEAKS = "test_forward"  # Among these LeakSanitizer watches one alone, for it is slow.

OURS = "bpcore/_core/binding."  # The extension in a report.
TRACING = " raw_malloc Modules/_tracemalloc.c"  # Asks for tracemalloc's notes, and for no object.
FAULTS = {
    "overflow": "heap-buffer-overflow",
    "undefined": "signed integer overflow",
    "leak": "bp_plant_leak",
    "object": "PyBytes_FromStringAndSize",
    "array": "_multiarray_umath",  # Of NumPy, whom the extension has asked.
}
BINDING = '''

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.ref cimport Py_INCREF

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
    elif fault == "leak":
        bp_plant_leak()
    elif fault == "object":
        Py_INCREF(PyBytes_FromStringAndSize(NULL, 80))
    else:
        import numpy
        Py_INCREF(numpy.zeros(1000))
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
    with (copy / "bpcore/_core/binding.pyx").open("a") as source:
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
    common += ":stack_trace_format='    #%n %p %F %L (%m)'"  # Number, function, line, module.
    # pytest's own handlers would come before a report.
    common += "".join(f":handle_{signal}=2" for signal in ("segv", "sigbus", "sigfpe", "sigill"))
    # Twelve callers reach from malloc through Python to the extension; more take twice as long.
    address = "detect_leaks=1:fast_unwind_on_malloc=0:malloc_context_size=12:strict_init_order=1"
    return {
        **os.environ,
        "PYTHONPATH": str(site),
        "PYTHONMALLOC": "malloc",
        "LD_PRELOAD": " ".join(libraries),
        "FUZZ_SECONDS": "60",  # Time is no law here: all is slow.
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


def is_ours(leak):
    """Whether the extension asked for what was lost, itself or by a call to another library. Notes
    that tracemalloc takes of what others ask for are its own."""
    callers = re.split(r" _PyEval\w+ ", leak)[0]
    return OURS in callers and TRACING not in callers


def ours(log):
    """All complaints but the leaks of others."""
    return [part for part in complaints(log) if "leak of" not in part[:30] or is_ours(part)]


def python(code, watched):
    return answer(sys.executable, "-P", "-c", code, environment=watched)


def see_the_faults(log, watched):
    for fault, words in FAULTS.items():
        code = f"from bpcore._core import binding; binding.plant('{fault}')"
        said = python(code, watched).stdout
        said += "".join(ours(log))
        if words not in said:
            raise Broken(f"{fault} on purpose is not seen:\n{said[-2000:]}")
    said = python("import bpcore._core.binding as c; print('plant' in dir(c))", watched).stdout
    if "True" not in said:
        raise Broken(f"not the extension with sanitizers is tested:\n{said}")


def shares(quick):
    """The test files, dealt to processes: enough for processors that are done to take another."""
    files = sorted(path for path in (ROOT / "tests").rglob("test_*.py"))
    files = [path for path in files if path.stem not in ELSEWHERE]
    if quick:
        files = [path for path in files if path.stem in QUICK]
    count = min(4 * (os.cpu_count() or 1), len(files))
    return [files[share::count] for share in range(count)]


def without_leaks(watched):
    """Leaks are told by whole stacks of callers; without them programs run ten times as fast."""
    quick = f"{watched['ASAN_OPTIONS']}:detect_leaks=0:fast_unwind_on_malloc=1"
    return {**watched, "ASAN_OPTIONS": quick}


def suite(files, watched, *options):
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider"]
    command += [part for test in NOT_HERE for part in ("--deselect", f"tests/{test}")]
    done = answer(*command, *options, *files, seconds=2 * 3600, environment=watched)
    last = (done.stdout.strip().splitlines() or ["no word"])[-1]
    print(f"  {len(files)} files: {last.strip('= ')}", flush=True)
    return done


def check_address(folder, quick):
    """The whole suite, or the part of it that touches memory most."""
    tool("gcc", "gcc")
    log = folder / "report"
    watched = environment(folder / "site", log)
    build(folder)
    see_the_faults(log, watched)

    def run(files, *options):
        leaks = "long" not in options and (not quick or QUICK_LEAKS in {p.stem for p in files})
        return suite(files, watched if leaks else without_leaks(watched), *options)

    jobs = [] if quick else [([ROOT / "tests/test_fuzz.py"], "-m", "long")]
    jobs += [(share, "-m", "not long and not quiet") for share in shares(quick)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = list(pool.map(lambda job: run(*job), jobs))
    found = ours(log)
    bad = [one.stdout for one in done if one.returncode or "runtime error:" in one.stdout]
    if found or bad:
        raise Broken(f"{len(found)} reports\n" + "\n\n".join([*found, *bad]))
    passed = sum(int(count) for one in done for count in re.findall(r"(\d+) passed", one.stdout))
    if passed < LEAST[quick]:
        raise Broken(f"{passed} tests passed, but there are more than {LEAST[quick]}")
    return f"0 reports, {passed} tests passed, {len(FAULTS)} of {len(FAULTS)} faults seen"
