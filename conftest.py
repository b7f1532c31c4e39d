"""Tests import the bpcore that is installed, never the source folder beside them.

``python -m pytest`` puts the working directory on the path, and the ``bpcore/`` there has no
compiled extension. Here the checkout leaves the path again; PYTHONSAFEPATH says the same to the
processes that tests start. An editable install has a finder of its own and works as before.

The whole suite, which is what pytest runs where it is given no file, uses all cores where
pytest-xdist is there; ``-n 0`` forbids it.
"""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent

sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != ROOT]
os.environ["PYTHONSAFEPATH"] = "1"

try:
    from hypothesis import HealthCheck, settings
except ImportError:
    pass  # tests/test_properties*.py say that they are skipped.
else:
    # The short profile tries the same examples each time; the long one is for a release:
    # HYPOTHESIS_PROFILE=long, or --hypothesis-profile=long.
    settings.register_profile(
        "short", max_examples=50, derandomize=True, database=None, deadline=None
    )
    settings.register_profile(
        "long", max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck)
    )
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    whole = config.args_source is config.ArgsSource.TESTPATHS
    whole &= not hasattr(config, "workerinput")  # A worker of xdist is one of many already.
    if whole and getattr(config.option, "numprocesses", 0) is None:
        config.option.numprocesses = "auto"
        if config.option.dist == "no":
            config.option.dist = "loadfile"  # What a file's tests share is made once.


def pytest_report_header(config):
    if config.option.markexpr == "not long and not quiet":
        return "left out: thorough forms of short tests, which -m long runs, and of times: -m quiet"
