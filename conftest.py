"""Tests import the bpcore that is installed, never the source folder beside them.

``python -m pytest`` puts the working directory on the path, and the ``bpcore/`` there has no
compiled extension. Here the checkout leaves the path again; PYTHONSAFEPATH says the same to the
processes that tests start. An editable install has a finder of its own and works as before.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent

sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != ROOT]
os.environ["PYTHONSAFEPATH"] = "1"
