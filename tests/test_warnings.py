"""Warnings name the line that called the package, from whichever depth or thread they come."""

import inspect
import warnings

import numpy as np
import pytest

import bpcore
from bpcore._io import safetensors

X = np.random.default_rng(0).normal(size=(12, 2))
FAR = np.full(12, 180.0)  # From every output of tanh.
HOW = dict(epochs=2, learning_rate=1e-6)


def networks(count=3):
    return [bpcore.Network([2, 1], output="tanh", loss="mse", seed=seed) for seed in range(count)]


def lines(told):
    return {(one.filename, one.lineno) for one in told}


@pytest.mark.parametrize("n_threads", [1, 2])
def test_fit_many_warns_of_the_line_that_waits_for_its_threads(n_threads):
    with pytest.warns(UserWarning, match="y has the value 180") as told:
        line = inspect.currentframe().f_lineno + 1
        bpcore.fit_many(networks(), X, FAR, n_threads=n_threads, **HOW)
    assert len(told) == 3 and lines(told) == {(__file__, line)}


def test_what_threads_warn_of_is_told_once_a_line_by_default():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        bpcore.fit_many(networks(), X, FAR, n_threads=2, **HOW)
    assert len(told) == 1


def test_a_filter_for_the_users_module_reaches_the_threads_of_fit_many():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=__name__.replace(".", r"\."))
        assert len(bpcore.fit_many(networks(), X, FAR, n_threads=2, **HOW)) == len(networks())


def test_where_warnings_are_errors_fit_many_refuses_like_fit():
    nets, twins = networks(), networks()
    with pytest.raises(UserWarning, match="y has the value 180") as raised:
        bpcore.fit_many(nets, X, bpcore.per_network([FAR / 360, FAR, FAR]), n_threads=2, **HOW)
    assert raised.value.__notes__ == ["in network 1 of fit_many"]
    twins[0].fit(X, FAR / 360, **HOW)
    for net, twin in zip(nets, twins, strict=True):
        assert net.parameters.tobytes() == twin.parameters.tobytes()


def test_a_method_that_gives_up_in_a_thread_names_the_users_line():
    optimizer = bpcore.optimizers.LBFGS(gradient_tolerance=1e-30)
    nets = [bpcore.Network([2, 1], output="identity", seed=seed) for seed in range(2)]
    with pytest.warns(RuntimeWarning, match="'lbfgs' has not converged") as told:
        line = inspect.currentframe().f_lineno + 1
        bpcore.fit_many(nets, X, X[:, 0] + X[:, 1] ** 2, epochs=500, optimizer=optimizer)
    assert len(told) == 2 and lines(told) == {(__file__, line)}


def test_a_warning_after_fit_many_names_its_own_line():
    (net,) = networks(1)
    with pytest.warns(UserWarning, match="y has the value 180"):
        bpcore.fit_many([net], X, FAR, n_threads=1, **HOW)
    with pytest.warns(UserWarning, match="y has the value 180") as told:
        line = inspect.currentframe().f_lineno + 1
        net.fit(X, FAR, **HOW)
    assert lines(told) == {(__file__, line)}


@pytest.mark.parametrize("save", [bpcore.Network.save, safetensors.save])
def test_a_file_without_moments_is_told_at_the_line_that_saves(tmp_path, save):
    net = bpcore.Network([2, 1], seed=0)
    net.fit(X, X[:, 0] > 0, optimizer="adam", **HOW)
    net._state.moments[...] = np.inf
    with pytest.warns(UserWarning, match="moments are not finite and are not saved") as told:
        line = inspect.currentframe().f_lineno + 1
        save(net, tmp_path / "net")
    assert lines(told) == {(__file__, line)}
