"""The fixtures that tests share."""

import numpy as np
import pytest

from bpcore import _core
from tests import programs
from tests.bits import ISAS
from tests.execution_modes import thread_work


@pytest.fixture(params=ISAS)
def isa(request):
    """Each instruction set in turn; the former one comes back afterwards."""
    before = _core.use_isa(request.param)
    yield request.param
    _core.use_isa(before)


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return np.dtype(request.param)


@pytest.fixture
def calls_are_shared():
    """The tiniest call uses all its threads."""
    with thread_work(1):
        yield


@pytest.fixture(scope="session")
def sparse():
    return pytest.importorskip("scipy.sparse", reason="SciPy is not installed")


@pytest.fixture(scope="session")
def driver(tmp_path_factory):
    """The driver as users' compilers build the core."""
    program = tmp_path_factory.mktemp("driver") / "driver"
    return programs.build(program, programs.c_compiler(), "-O2")


@pytest.fixture(scope="session")
def native(driver):
    """The driver's results on this machine."""
    return programs.results_of(driver, "once")
