"""The browser page: one command builds web/build, which any file server can serve.

    python tools/web.py && python -m http.server -d web/build

In it are the page's own files, the core as WebAssembly of both kinds (tools/wasm.py) and MNIST's
digits, packed: of what bpcore.datasets loads, so many rows of sixteen greys. Files that are worth
it are compressed here, so that every server sends as little.
"""

import argparse
import gzip
import shutil
import sys
from pathlib import Path

import numpy as np

from bpcore import datasets

sys.path.insert(0, str(Path(__file__).resolve().parent))
import wasm
from driver import ROOT, Broken, Missing

WEB = ROOT / "web"
PAGES = ("*.html", "*.css", "*.js")
# Rows to learn from and to test on: what fits into the page, and still learns 98 and 90 %.
DIGITS58, DIGITS10 = (4000, 500), (2500, 500)
SIDE = 28
GREYS = 15  # Two pixels a byte.
MOST_BYTES = 1_000_000


def greys(X):
    """X in [0, 1] as the page and the Python lines that it shows have it."""
    return (np.rint(X * GREYS) / GREYS).astype("float32")


def pack(train, test):
    """(X, labels) of two parts as bytes: the two counts, the labels, two pixels a byte.

    These two are neighbours in a column: gzip makes 5 % less of them than of neighbours in a row.
    """
    (X, labels), (X_test, labels_test) = train, test
    counts = np.array([len(X), len(X_test)], "<u4")
    labels = np.concatenate([labels, labels_test]).astype("u1")
    q = np.rint(np.concatenate([X, X_test]) * GREYS).astype("u1").reshape(-1, SIDE, SIDE)
    return counts.tobytes() + labels.tobytes() + (q[:, ::2] << 4 | q[:, 1::2]).tobytes()


def digits():
    """{file: bytes} of the packed data."""

    def first(loaded, counts):
        (train, test), (n, n_test) = loaded, counts
        return [array[:n] for array in train], [array[:n_test] for array in test]

    return {
        "digits58": pack(*first(datasets.load_mnist58(), DIGITS58)),
        "digits10": pack(*first(datasets.load_mnist(), DIGITS10)),
    }


def build(folder):
    """Writes the page into the folder, which is emptied before; {file: bytes}."""
    shutil.rmtree(folder, ignore_errors=True)
    modules = {path.name: path.read_bytes() for path in wasm.build(folder)}
    for name, content in {**modules, **digits()}.items():
        # Without a time the same input is the same file.
        (folder / f"{name}.gz").write_bytes(gzip.compress(content, 9, mtime=0))
    for name in modules:
        (folder / name).unlink()
    for pattern in PAGES:
        for path in WEB.glob(pattern):
            shutil.copy(path, folder)
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir())}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=WEB / "build")
    folder = parser.parse_args().folder
    try:
        sizes = build(folder)
    except (Missing, Broken, FileNotFoundError) as error:
        print(f"web: {error}", file=sys.stderr)
        return 1
    for name, size in sizes.items():
        print(f"{size:>9,}  {name}")
    total = sum(sizes.values())
    print(f"{total:>9,}  bytes in all; a page takes one of the two modules")
    if total > MOST_BYTES:
        print(f"web: that is more than {MOST_BYTES:,}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
