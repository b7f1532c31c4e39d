"""``python -m bpcore`` is the ``bpcore`` command."""

import sys

from .experiments.cli import main

sys.exit(main())
