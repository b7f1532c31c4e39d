"""The data of the three tutorials: MNIST, MNIST's digits 5 and 8, and the cats.

Files are looked for in the folder given, in the folder that the environment variable `BPCORE_DATA`
names (there or in its subfolders `mnist` and `catvnoncat`), and in the cache folder of the user.
What of MNIST is in none of them is fetched once, into the cache. Importing this module touches
neither the disk nor the network. Rows are samples everywhere, n is their number.
"""

from ._cats import load_catvnoncat
from ._idx import read_idx
from ._mnist import load_mnist, load_mnist58

__all__ = ["load_catvnoncat", "load_mnist", "load_mnist58", "read_idx"]


def __dir__() -> list[str]:
    return __all__
