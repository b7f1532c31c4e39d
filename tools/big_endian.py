"""Models, recipes and IDX files between this machine and one that stores the highest byte first.

Law: an s390x Python under qemu, with the whole of bpcore compiled for it, makes the same files as
this machine, byte for byte; and each reads the other's to the same numbers, the same outputs and
the same training from there on, and repeats the training of the other's recipes.

Debian's Python and NumPy for s390x are fetched into a temporary folder (20 MB), with an apt that
knows of nothing but that folder: no root is needed and nothing is installed.
"""

import argparse
import filecmp
import os
import shutil
import sys
import sysconfig
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from driver import FLAGS, ROOT, Broken, Missing, answer, judged, tool

EXCHANGE = ROOT / "tests/exchange.py"
LIBRARIES = "/usr/lib/s390x-linux-gnu"


def must(*command, what, **how):
    done = answer(*command, **how)
    if done.returncode:
        raise Missing(f"{what}: {' '.join(map(str, command))[:200]}\n{done.stdout[-2000:]}")
    return done.stdout


def system(folder):
    """The root folder of a Debian for s390x that has Python and NumPy."""
    get = tool("apt-get", "apt")
    state, root = folder / "apt", folder / "root"
    for name in ("lists/partial", "cache/archives/partial"):
        (state / name).mkdir(parents=True)
    (state / "status").touch()
    options = {
        "Dir::State": state,
        "Dir::State::Lists": state / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache": state / "cache",
        "APT::Architecture": "s390x",
        "APT::Architectures": "s390x",
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "1",
    }
    apt = [get, "-qq", *(part for k, v in options.items() for part in ("-o", f"{k}={v}"))]
    must(*apt, "update", what="apt reaches no archive for s390x")
    wanted = ["install", "-y", "--no-install-recommends", "--download-only", "python3-numpy"]
    must(*apt, *wanted, what="apt has no python3-numpy for s390x")
    for package in sorted((state / "cache/archives").glob("*.deb")):
        must("dpkg-deb", "-x", package, root, what="dpkg-deb")
    return root


def cross_build(folder):
    """bpcore with an extension for s390x. Both machines have numbers of the same sizes, so the
    headers of this interpreter serve for the other, which the limited API makes one ABI."""
    site, source = folder / "site", folder / "_core.c"
    compiler = tool("s390x-linux-gnu-gcc", "gcc-s390x-linux-gnu")
    shutil.copytree(ROOT / "bpcore", site / "bpcore", ignore=shutil.ignore_patterns("*.so"))
    cython = [sys.executable, "-m", "cython", "-3", ROOT / "bpcore/_core/binding.pyx", "-o", source]
    must(*cython, what="Cython is not installed")
    flags = ["-O2", "-g0", "-fPIC", "-shared", "-fvisibility=hidden", "-fexcess-precision=fast"]
    flags += ["-DPy_LIMITED_API=0x030B0000", f"-I{sysconfig.get_path('include')}", "-pthread"]
    output = ["-o", site / "bpcore/_core/binding.abi3.so", "-lm"]
    done = answer(compiler, *FLAGS, *flags, source, *sorted(ROOT.glob("csrc/**/*.c")), *output)
    if done.returncode:
        raise Broken(f"the extension does not compile for s390x:\n{done.stdout[-4000:]}")
    return site


def big_python(folder):
    """The command of the other machine's Python."""
    root = system(folder)
    paths = [f"{LIBRARIES}/blas", f"{LIBRARIES}/lapack"]
    emulator = [tool("qemu-s390x-static", "qemu-user-static"), "-L", root]
    emulator += ["-E", f"LD_LIBRARY_PATH={':'.join(paths)}"]
    emulator += ["-E", f"PYTHONPATH={cross_build(folder)}"]
    return [*emulator, root / "usr/bin/python3", "-P", EXCHANGE]


def run(python, byteorder, *arguments):
    done = answer(*python, *arguments, environment={**os.environ, "PYTHONSAFEPATH": "1"})
    if done.returncode or byteorder not in done.stdout:
        raise Broken(
            f"exchange.py {arguments[0]} on the {byteorder}-endian machine:\n{done.stdout}"
        )


def same_files(one, other):
    """How many files two folders have, all of them the same bytes."""
    names = sorted(path.name for path in one.iterdir())
    if names != sorted(path.name for path in other.iterdir()):
        raise Broken(f"{one.name} and {other.name} have other files")
    _, different, strange = filecmp.cmpfiles(one, other, names, shallow=False)
    if different or strange:
        raise Broken(f"{one.name} and {other.name} differ in {', '.join(different + strange)}")
    return len(names)


def exchange(folder, little, big, byteorder="big"):
    """Both make files, and each copies what the other made: (files made, files copied)."""
    names = ("little_made", "big_made", "little_copied", "big_copied")
    made, theirs, copied, back = (folder / name for name in names)
    for path in (made, theirs, copied, back):
        path.mkdir()
    run(little, "little", "make", made)
    run(big, byteorder, "make", theirs)
    run(little, "little", "copy", theirs, copied)
    run(big, byteorder, "copy", made, back)
    return same_files(made, theirs), same_files(copied, back)


def between_machines(folder):
    if sys.byteorder != "little":
        raise Missing("this machine itself stores the highest byte first")
    made, copied = exchange(folder, [sys.executable, "-P", EXCHANGE], big_python(folder))
    return f"{made} files made and {copied} copied alike, byte for byte"


def main():
    form = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(description=__doc__, formatter_class=form).parse_args()
    return judged("big-endian", between_machines)


if __name__ == "__main__":
    sys.exit(main())
