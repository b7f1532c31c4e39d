"""The hashes of training see one bit, and are the same whatever computes them."""

import importlib.util

import numpy as np
import pytest

import bpcore
from tests.programs import ROOT

pytest.importorskip("scipy.sparse", reason="sparse data")
pytest.importorskip("sklearn", reason="the estimators")

SOME = "^(fit mse|option everything|MLPRegressor plain fit|classic) ?.*(adam|sgd|lbfgs|Network)"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("hashes", ROOT / "tools" / "training_hashes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_same_training_has_the_same_hashes_with_any_number_of_threads(
    tool, monkeypatch, capsys, tmp_path
):
    kept = tmp_path / "kept"
    monkeypatch.setenv("BPCORE_NUM_THREADS", "1")
    assert tool.main(["--only", SOME]) == 0
    kept.write_text(capsys.readouterr().out)
    monkeypatch.setenv("BPCORE_NUM_THREADS", "2")
    assert tool.main(["--only", SOME, "--against", str(kept)]) == 0
    assert len(kept.read_text().splitlines()) > 100


def test_one_bit_of_one_parameter_is_seen(tool, monkeypatch, capsys, tmp_path):
    kept, pattern = tmp_path / "kept", "^fit mse adam float32 dense (full|many)$"
    assert tool.main(["--only", pattern]) == 0
    kept.write_text(capsys.readouterr().out)
    fit = bpcore.Network.fit

    def flipped(net, *data, **settings):
        history = fit(net, *data, **settings)
        net.parameters.view(np.uint32)[-1] ^= 1
        return history

    monkeypatch.setattr(bpcore.Network, "fit", flipped)
    assert tool.main(["--only", pattern, "--against", str(kept)]) == 1
    assert "differs: fit mse adam float32 dense full\n1 differ\n" in capsys.readouterr().out
