"""WebAssembly gives the bits of AVX2: the driver, compiled to both kinds of vectors, under node."""

import pytest

from tests.bits import needs_fused
from tests.programs import ROOT, results_of  # isort: split

# These are in tools/, which is in the path now.
import wasm
from driver import Missing, compile_driver

from tests.test_c_driver import WHATS

pytestmark = pytest.mark.long


@pytest.fixture(scope="module", params=wasm.KINDS)
def results(request, tmp_path_factory):
    """The driver's results in one kind."""
    try:
        compiler, node = wasm.compiler(), wasm.node()
    except Missing as error:
        pytest.skip(str(error))
    program = tmp_path_factory.mktemp("wasm") / "driver.wasm"
    compile_driver(program, compiler, "-O2", *wasm.KINDS[request.param])
    return results_of(*node, ROOT / "tests/c/run_wasi.mjs", program, "single")


@needs_fused
def test_webassembly_gives_the_bits_of_avx2(native, results):
    if "avx2" not in {isa for isa, _, _ in native}:
        pytest.skip("this CPU has no AVX2 to compare with")
    compared = 0
    for (isa, precision, what), bits in results.items():
        if isa == "wasm":
            assert native["avx2", precision, what] == bits, (precision, what)
            compared += 1
    assert compared == 2 * len(WHATS)


def test_orders_are_the_same_in_webassembly(native, results):
    assert native["any", "any", "shuffle"] == results["any", "any", "shuffle"]
