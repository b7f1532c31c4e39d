"""NEON gives the bits of AVX2: the driver, compiled for AArch64 and run by an emulator."""

import shutil

import pytest

from tests.bits import needs_fused
from tests.programs import build, results_of
from tests.test_c_driver import WHATS

pytestmark = pytest.mark.long

COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64-static"


@pytest.fixture(scope="module")
def neon(tmp_path_factory):
    """The driver's results on an emulated AArch64; static, so that no system root is needed."""
    emulator = shutil.which(EMULATOR)
    if emulator is None:
        pytest.skip(f"there is no {EMULATOR} here")
    program = tmp_path_factory.mktemp("neon") / "driver"
    return results_of(emulator, build(program, [COMPILER], "-static", "-O2"), "single")


@needs_fused
def test_neon_gives_the_bits_of_avx2(native, neon):
    if "avx2" not in {isa for isa, _, _ in native}:
        pytest.skip("this CPU has no AVX2 to compare with")
    compared = 0
    for (isa, precision, what), bits in neon.items():
        if isa == "neon":
            assert native["avx2", precision, what] == bits, (precision, what)
            compared += 1
    assert compared == 2 * len(WHATS)


def test_neon_and_the_generic_kernels_agree_on_aarch64(neon):
    for (isa, precision, what), bits in neon.items():
        if isa == "neon":
            assert neon["generic", precision, what] == bits


def test_orders_are_the_same_on_both_machines(native, neon):
    assert native["any", "any", "shuffle"] == neon["any", "any", "shuffle"]
