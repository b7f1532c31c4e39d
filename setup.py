"""The extension module; everything else is in pyproject.toml."""

import os
import platform
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

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
    include_dirs=["csrc"],
    define_macros=MACROS,
    extra_compile_args=FLAGS if MSVC else [*FLAGS, "-fvisibility=hidden"],
    extra_link_args=LINK_FLAGS,
    py_limited_api=ABI3,
)


class WithKernelTexts(build_py):
    """The package, and beside its export the kernels whose text that exports."""

    TEXTS = ("elementary_template.h", "activations_template.h")

    def run(self):
        super().run()
        if not self.editable_mode:  # There, the text is where it is written.
            folder = Path(self.build_lib) / "bpcore" / "export" / "kernels"
            self.mkpath(str(folder))
            for name in self.TEXTS:
                self.copy_file(f"csrc/kernels/{name}", str(folder / name))


class BuildChanged(build_ext):
    """Compile side by side, and only the files whose object would be another one.

    A digest beside each object tells what it was made from: the preprocessed text, the command, and
    what the compiler says about itself. MSVC and compilers that cannot tell compile every file.
    """

    def build_extensions(self):
        if self.compiler.compiler_type == "unix":  # MSVC's class prepares itself at its first file.
            self.compiler._compile = partial(self.compile_changed, self.compiler._compile)
            self.compiler.compile = partial(self.compile_side_by_side, self.compiler.compile)
        super().build_extensions()

    def build_extension(self, extension):
        # Times alone decide whether a library is up to date; without it they have nothing to say.
        Path(self.get_ext_fullpath(extension.name)).unlink(missing_ok=True)
        super().build_extension(extension)

    def compile_side_by_side(self, compile_all, sources, **how):
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return sum(pool.map(lambda source: compile_all([source], **how), sources), [])

    def compile_changed(self, compile_one, object_file, source, *rest):
        _, arguments, more_arguments, _ = rest
        command = [*self.compiler.compiler_so, *arguments, source, *more_arguments, "-E", "-v"]
        text = subprocess.run(command, capture_output=True)
        digest = sha256(repr((command, text.stdout, text.stderr)).encode()).hexdigest()
        record = Path(f"{object_file}.sha256")
        kept = record.exists() and Path(object_file).exists() and record.read_text() == digest
        if text.returncode or self.force or not kept:
            record.unlink(missing_ok=True)
            compile_one(object_file, source, *rest)
            record.write_text(digest)


setup(
    cmdclass={"build_ext": BuildChanged, "build_py": WithKernelTexts},
    ext_modules=[core],
    options={
        "build_ext": {"cython_c_in_temp": True},  # 50,000 generated lines stay out of bpcore/.
        "bdist_wheel": {"py_limited_api": "cp311" if ABI3 else False},
    },
)
