"""Laws of the products that bpcore.classic asks of the core where the methods do the steps."""

import numpy as np
import pytest

from bpcore import _core
from bpcore._inputs import thread_count
from bpcore.classic import ANN, Network, _shared


@pytest.fixture
def asked(monkeypatch):
    """A list that gets (m, k, n, threads) of each product that the core is asked for."""
    calls, matmul = [], _core.matmul

    def noted(A, B, C, threads=1):
        calls.append((*A.shape, B.shape[1], threads))
        matmul(A, B, C, threads)

    monkeypatch.setattr(_core, "matmul", noted)
    return calls


class Own(ANN):
    """The tutorial's own sigmoid: an override that changes nothing but who does the steps."""

    def sigmoid(self, Z):
        return 1 / (1 + np.exp(-Z))


def test_large_products_of_an_override_use_the_threads_of_the_process(monkeypatch, asked):
    monkeypatch.setenv(thread_count.VARIABLE, "3")
    X, Y = np.random.default_rng(0).random((4000, 100)), np.arange(4000) % 2
    Own([30, 1]).fit(X, Y, 0.1, 1)
    by_work = {m * k * n: threads for m, k, n, threads in asked}
    assert by_work == {4000 * 100 * 30: 3, 4000 * 30: 1}


def test_small_products_do_not_ask_for_the_threads(monkeypatch):
    monkeypatch.setattr(thread_count, "count", lambda: pytest.fail("the limits were read"))
    Own([30, 1]).fit(np.ones((40, 100)), np.arange(40) % 2, 0.1, 1)


def test_a_cost_of_its_own_takes_five_products_a_mini_batch(asked):
    """As many as one sample: the other steps see all samples of a mini-batch at once."""

    class Doubled(Network):
        def cost_derivative(self, output_activations, y):
            return 2 * (output_activations - y)

    pairs = [(np.ones((6, 1)), np.ones((2, 1)))] * 21
    Doubled([6, 4, 2]).SGD(pairs, 1, 7, 0.1)
    assert len(asked) == 3 * 5  # Two Z, two dW and one that takes delta to the layer before.


@pytest.mark.parametrize("n", [1, 7])
@pytest.mark.parametrize("orders", ["CFC", "CCF", "FCC", "FFF"])
def test_products_are_the_same_bits_in_any_layout(n, orders):
    """A product whose second matrix lies by columns is turned; its sums stay as they are."""
    rng = np.random.default_rng(0)
    parts = rng.standard_normal((5, 30)), rng.standard_normal((30, n)), rng.standard_normal((5, 1))
    W, A, b = parts
    expected = _shared.weighted_input(W, A, b)
    # A sum of 31 terms errs by at most 31 eps times the sum of their sizes, in either order.
    bound = 2 * 31 * np.finfo(float).eps * (abs(W) @ abs(A) + abs(b))
    assert np.all(abs(expected - (W @ A + b)) <= bound)
    laid_out = (np.asarray(part, order=order) for part, order in zip(parts, orders, strict=True))
    np.testing.assert_array_equal(_shared.weighted_input(*laid_out), expected)


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (5,), ()])
def test_an_activation_is_the_same_bits_in_any_layout_and_leaves_its_input_alone(shape):
    Z = np.random.default_rng(0).standard_normal(shape)
    before, expected = Z.copy(), _shared.activation("sigmoid", Z)
    for laid_out in (np.asarray(Z, order="F"), np.repeat(Z[..., None], 2, axis=-1)[..., 0]):
        np.testing.assert_array_equal(_shared.activation("sigmoid", laid_out), expected)
    np.testing.assert_array_equal(Z, before)
