"""Very wide rows: workspaces stay a matter of megabytes, and blocks of few rows leave no trace."""

import numpy as np
import pytest

import bpcore
from bpcore import _core

MEGABYTES = 100 << 20  # 64 MiB of gathered rows and a few of everything else


def wide(inputs):
    return bpcore.Network([inputs, 5, 3], output="softmax", seed=1)


@pytest.mark.parametrize("size", [_core.workspace_size, _core.forward_size, _core.mean_loss_size])
@pytest.mark.parametrize("itemsize", [4, 8])
def test_workspaces_do_not_grow_with_the_width_of_rows(size, itemsize):
    sizes = [size(wide(inputs)._core, 1000, itemsize) for inputs in (20_000, 100_000)]
    assert max(sizes) < MEGABYTES
    assert 1000 * 100_000 * itemsize > 3 * MEGABYTES  # What all rows at once would take.


@pytest.mark.parametrize("inputs, rows", [(5_000, 300), (30_000, 100)])
def test_blocks_of_wide_rows_leave_no_trace(inputs, rows):
    random = np.random.default_rng(0)
    X = random.normal(size=(rows, inputs)).astype("f4")
    X[random.random((rows, inputs)) < 0.7] = 0
    y, net = random.integers(3, size=rows), wide(inputs)
    A = net.forward(X)
    for row in range(0, rows, 17):
        np.testing.assert_array_equal(A[row], net.forward(X[row : row + 1])[0])
    twins = [wide(inputs) for _ in range(2)]
    twins[0].fit(X, y, epochs=1, learning_rate=0.01, n_threads=1)
    twins[1].fit(X, y, epochs=1, learning_rate=0.01, batch_size=rows, n_threads=2)
    np.testing.assert_array_equal(twins[0].parameters, twins[1].parameters)
    parts = [net.loss(X[i : i + 10], y[i : i + 10]) for i in range(0, rows, 10)]
    assert np.isclose(np.mean(parts), net.loss(X, y), rtol=1e-12)
