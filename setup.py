"""The extension module; everything else is in pyproject.toml."""

import os
import platform
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

# One binary for CPython 3.11 and later; the free-threaded interpreter has no such ABI yet.
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
ABI3 = (
    os.environ.get("BPCORE_ABI3", "1") == "1"
    and sys.implementation.name == "cpython"
    and not FREE_THREADED
)
MSVC = sys.platform == "win32" and "GCC" not in sys.version

MACROS = [("Py_LIMITED_API", "0x030B0000")] if ABI3 else []
if FREE_THREADED and sys.platform == "win32":
    # On Windows both interpreters share one pyconfig.h, so the build says which one it is for.
    MACROS = [("Py_GIL_DISABLED", "1")]

# No fast-math and no contraction: every fused multiply-add is written, none is invented. CFLAGS and
# LDFLAGS of the environment stand before these, and the last word counts. With a flag for fast
# arithmetic the linker would add a start that flushes subnormals to zero in the whole process.
FLAGS = ["-O2", "-std=c11", "-fno-fast-math", "-ffp-contract=off", "-g0"]
LINK_FLAGS = ["-O2", "-fno-fast-math", "-fno-unsafe-math-optimizations"]
if MSVC:
    FLAGS, LINK_FLAGS = ["/O2", "/fp:precise"], []

# Two machines keep more digits than a number has, unless told; base/compiler.h refuses that.
if platform.machine() == "s390x":
    FLAGS += ["-fexcess-precision=fast"]
elif sys.maxsize < 2**32 and platform.machine() in ("x86_64", "i686", "i586", "i386"):
    FLAGS += [] if MSVC else ["-msse2", "-mfpmath=sse"]

core = Extension(
    "bpcore._core.binding",
    ["bpcore/_core/binding.pyx", *sorted(map(str, Path("csrc").rglob("*.c")))],
    depends=[
        *map(str, Path("bpcore/_core").glob("*.pxd")),
        *map(str, Path("csrc").rglob("*.h")),
    ],
    include_dirs=["csrc"],
    define_macros=MACROS,
    extra_compile_args=FLAGS if MSVC else [*FLAGS, "-fvisibility=hidden"],
    extra_link_args=LINK_FLAGS,
    py_limited_api=ABI3,
)


class BuildSideBySide(build_ext):
    """Files are compiled side by side, as many as there are CPUs."""

    def build_extensions(self):
        compile_all = self.compiler.compile

        def compile_side_by_side(sources, **how):
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                objects = list(pool.map(lambda source: compile_all([source], **how), sources))
            return sum(objects, [])

        if self.compiler.compiler_type == "unix":  # MSVC's class prepares itself at its first file.
            self.compiler.compile = compile_side_by_side
        super().build_extensions()


setup(
    cmdclass={"build_ext": BuildSideBySide},
    ext_modules=[core],
    options={
        "build_ext": {"cython_c_in_temp": True},  # 50,000 generated lines stay out of bpcore/.
        "bdist_wheel": {"py_limited_api": "cp311" if ABI3 else False},
    },
)
