"""``python -m bpcore`` is the ``bpcore`` command."""

import sys

from .cli import main

sys.exit(main())
