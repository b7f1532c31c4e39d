"""Laws of SciPy matrices as X: every format gives the numbers of toarray(), nonsense is refused.

By whatever reads X: training, predictions, losses, gradients and their check, eval sets.
"""

import numpy as np
import pytest

import bpcore
from tests.bits import same_bits

scipy = pytest.importorskip("scipy.sparse", reason="SciPy makes the matrices of these tests")

ROWS, COLUMNS = 40, 23
LABELS = np.arange(ROWS) % 3


def network(dtype="float32", features=COLUMNS):
    return bpcore.Network([features, 9, 3], output="softmax", dtype=dtype, seed=1)


def matrix(density=0.2, dtype=np.float64, seed=0):
    """A CSR array with a row, the last one and a column without entries."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((ROWS, COLUMNS))
    X[rng.random(X.shape) >= density] = 0
    X[4], X[-1], X[:, 7] = 0, 0, 0
    return scipy.csr_array((3 * X).astype(dtype))


def all_results(X, dtype="float32", **how):
    """All that a network makes of X."""
    net = network(dtype)
    history = net.fit(X, LABELS, epochs=2, learning_rate=0.3, eval_set=(X, LABELS), **how)
    weights, biases = net.gradients(X, LABELS)
    figures = net.evaluate(X, LABELS)
    numbers = [net.loss(X, LABELS), *history.loss, *history.eval_loss, *figures.values()]
    numbers += history.eval_accuracy + net.check_gradients(X, LABELS)
    A = net.forward(X, out=np.full((ROWS, 3), np.nan, net.dtype))
    return [net.parameters, A, net.predict(X), *weights, *biases, np.array(numbers)]


def assert_like_dense(X, dtype="float32", dense=None, **how):
    dense = X.toarray() if dense is None else dense
    for ours, theirs in zip(
        all_results(X, dtype, **how), all_results(dense, dtype, **how), strict=True
    ):
        assert ours.shape == theirs.shape and np.array_equal(ours, theirs)


# ---- What is taken -------------------------------------------------------------------------------

FORMATS = ["csr", "csc", "coo", "bsr", "lil", "dok", "dia"]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("kind", ["array", "matrix"])
def test_every_format_gives_the_numbers_of_the_dense_array(dtype, name, kind):
    X = getattr(scipy, f"{name}_{kind}")(matrix())
    assert_like_dense(X, dtype.name)
    assert_like_dense(X, dtype.name, batch_size=9)


def test_another_matrix_gives_other_numbers():
    one, other = matrix(), matrix()
    other.data[3] *= 1.001
    with pytest.raises(AssertionError):
        assert_like_dense(one, dense=other.toarray())


@pytest.mark.parametrize("density", [0, 0.01, 0.5, 1])
def test_any_density_is_taken(dtype, density):
    ways = [{}, {"batch_size": 9}, {"order": LABELS, "batch_size": 9}, {"n_threads": 3}]
    for how in [*ways, {"sample_weight": LABELS, "batch_size": 9}]:
        assert_like_dense(matrix(density), dtype.name, **how)


KINDS = [np.float32, np.float16, np.longdouble, np.int64, np.int8, np.uint16, np.bool_, ">f8"]


@pytest.mark.parametrize("kind", KINDS)
def test_any_real_numbers_are_converted(dtype, kind):
    X = matrix()
    X.data = (3 * X.data).astype(kind)
    dense = np.zeros(X.shape, np.dtype(kind).newbyteorder("="))
    for row in range(ROWS):
        entries = slice(X.indptr[row], X.indptr[row + 1])
        dense[row, X.indices[entries]] = X.data[entries]
    assert_like_dense(X, dtype.name, dense=dense)


@pytest.mark.parametrize("index", [np.int64, np.int32, np.uint32, np.uint64, np.int16, ">i4"])
def test_any_whole_numbers_may_be_indices(index):
    X = matrix()
    dense = X.toarray()
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    assert_like_dense(X, dense=dense)


def shuffled(X, seed=0):
    """The same matrix, the entries of each row in another order."""
    X = X.copy()
    for row in range(X.shape[0]):
        entries = slice(X.indptr[row], X.indptr[row + 1])
        order = np.random.default_rng(seed + row).permutation(X.indptr[row + 1] - X.indptr[row])
        X.indices[entries], X.data[entries] = X.indices[entries][order], X.data[entries][order]
    X.has_sorted_indices = False
    return X


def test_entries_out_of_order_are_sorted_in_a_copy(dtype):
    X = shuffled(matrix())
    before = X.indices.copy(), X.data.copy()
    assert not (X.indices == matrix().indices).all()
    assert_like_dense(X, dtype.name)
    assert same_bits(X.indices, before[0]) and same_bits(X.data, before[1])


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int8, np.bool_])
def test_duplicates_are_added_as_toarray_adds_them(dtype, kind):
    """In the precision that they came in and in the order in which they came."""
    rng = np.random.default_rng(2)
    counts = rng.integers(0, 12, ROWS)
    columns = rng.integers(0, 6, counts.sum()).astype(np.int32)
    data = (50 * rng.standard_normal(counts.sum())).astype(kind)
    X = scipy.csr_array((data, columns, np.append(0, counts.cumsum())), (ROWS, COLUMNS))
    assert not X.has_canonical_format
    assert_like_dense(X, dtype.name)
    assert_like_dense(X, dtype.name, batch_size=9)
    assert X.nnz == len(data)


def test_entries_that_are_zero_and_a_tail_behind_the_last_entry_change_nothing(dtype):
    X = matrix()
    X.data[::3] = 0
    assert_like_dense(X, dtype.name)
    dense = X.toarray()
    X.indices = np.append(X.indices, np.int32([-5, 10**6])).astype(np.int32)
    X.data = np.append(X.data, [np.nan, np.inf])
    assert_like_dense(X, dtype.name, dense=dense)


def test_read_only_matrices_are_taken_and_not_changed(dtype):
    for X in (matrix(dtype=dtype), shuffled(matrix(dtype=dtype))):
        dense = X.toarray()
        for array in (X.data, X.indices, X.indptr):
            array.setflags(write=False)
        assert_like_dense(X, dtype.name, dense=dense)
        assert np.array_equal(X.toarray(), dense)


def test_a_value_is_rounded_to_the_network_s_precision_once():
    """Also to zero, which is an entry then, and to a subnormal number."""
    X = np.zeros((ROWS, COLUMNS))
    X[:, 0], X[::2, 3], X[1::3, 5] = 1 / 3, 1e-300, 1e-42
    entries, rounded = scipy.csr_array(X), X.astype("f4")
    assert entries.nnz > np.count_nonzero(rounded)
    one, other = network(), network()
    assert np.array_equal(one.forward(entries), other.forward(rounded))
    for net, given in [(one, entries), (other, rounded)]:
        net.fit(given, LABELS, epochs=2, learning_rate=0.1, batch_size=20)
    assert np.array_equal(one.parameters, other.parameters)


def test_eval_set_may_be_sparse_where_X_is_not_and_the_other_way_round():
    X, losses = matrix(0.3), []
    for first, second in [(X.toarray(), X), (X.tocsc(), X.toarray()), (X.toarray(), X.toarray())]:
        settings = dict(epochs=3, learning_rate=0.1, batch_size=20)
        history = network().fit(first, LABELS, eval_set=(second, LABELS), **settings)
        losses.append((history.loss, history.eval_loss, history.eval_accuracy))
    assert losses[0] == losses[1] == losses[2]


def test_slices_of_a_matrix_are_matrices():
    X = matrix()
    for part in (X[3:20], X[[5, 5, 1, 0]], X[:1], X[4:5], X[-1:]):
        assert np.array_equal(network().forward(part), network().forward(part.toarray()))


def test_a_sparse_matrix_is_never_made_dense(monkeypatch):
    def refuse(*args, **how):
        raise AssertionError("made dense")

    X = scipy.csr_array(([1.0, 2.0], ([0, 2], [5, 10**8 - 1])), (3, 10**8))
    for name in ("toarray", "todense"):
        monkeypatch.setattr(type(X), name, refuse)
    small = matrix()
    all_results(small)
    with pytest.raises(ValueError, match="X has 100000000 features"):
        network().forward(X)


def test_zero_rows_predict_nothing_and_teach_nothing():
    X, net = scipy.csr_array((0, COLUMNS)), network()
    assert net.forward(X).shape == (0, 3) and net.predict(X).shape == (0,)
    for call in (lambda: net.loss(X, []), lambda: net.gradients(X, []), lambda: fit(net, X, [])):
        with pytest.raises(ValueError, match="X has no rows"):
            call()


# ---- What is refused -----------------------------------------------------------------------------


def fit(net, X, y=LABELS):
    net.fit(X, y, epochs=1, learning_rate=0.1)


def assert_refused(X, error, says, in_double_too=True):
    """By every function, and the network stays as it is."""
    net = network()
    before = net.parameters.copy()
    for call in (
        lambda: fit(net, X),
        lambda: net.forward(X),
        lambda: net.predict(X),
        lambda: net.loss(X, LABELS),
        lambda: net.evaluate(X, LABELS),
        lambda: net.gradients(X, LABELS),
    ):
        with pytest.raises(error, match=says):
            call()
    if in_double_too:
        with pytest.raises(error, match=says.replace("float32", "float64")):
            net.check_gradients(X, LABELS)
    with pytest.raises(error, match=f"^eval_set's .*(?:{says})"):
        net.fit(matrix(), LABELS, epochs=1, learning_rate=0.1, eval_set=(X, LABELS))
    assert same_bits(net.parameters, before) and net.epochs == 0


class Rows:
    """What a matrix of compressed rows shows of itself, right or wrong."""

    def __init__(self, X, **changed):
        self.data, self.indices, self.indptr, self.shape = X.data, X.indices, X.indptr, X.shape
        vars(self).update(changed)
        self.ndim, self.nnz = len(self.shape), len(self.data)

    def tocsr(self):
        return self


def test_the_stand_in_is_taken_where_it_is_right():
    X = matrix()
    assert_like_dense(Rows(X), dense=X.toarray())


def changed(array, place, value):
    array = array.copy()
    array[place] = value
    return array


X = matrix()
LAST = int(X.indptr[-1])
BROKEN = {
    "indptr falls": {"indptr": changed(X.indptr, 10, X.indptr[12])},
    "indptr falls below 0": {"indptr": changed(X.indptr, 10, -1)},
    "indptr begins late": {"indptr": changed(X.indptr, 0, 1)},
    "indptr begins below 0": {"indptr": changed(X.indptr, 0, -3)},
    "indptr ends beyond": {"indptr": changed(X.indptr, -1, LAST + 1)},
    "indptr ends far beyond": {"indptr": changed(X.indptr.astype(np.int64), -1, 2**62)},
    "indptr ends below 0": {"indptr": changed(X.indptr, -1, -1)},
    "indptr jumps up and back": {"indptr": changed(X.indptr, 10, 2**31 - 1)},
    "indptr wraps around": {"indptr": changed(X.indptr.astype(np.uint64), 10, 2**64 - 1)},
    "indptr is too short": {"indptr": X.indptr[:-1]},
    "indptr is too long": {"indptr": np.append(X.indptr, X.indptr[-1])},
    "indptr is empty": {"indptr": X.indptr[:0]},
    "indptr has two dimensions": {"indptr": X.indptr[:, None]},
    "indptr holds fractions": {"indptr": X.indptr.astype(float)},
    "indices are too few": {"indices": X.indices[:-1]},
    "indices are none": {"indices": X.indices[:0]},
    "indices hold fractions": {"indices": X.indices + 0.5},
    "indices are objects": {"indices": X.indices.astype(object)},
    "indices have two dimensions": {"indices": X.indices[:, None]},
    "data are too few": {"data": X.data[:-1]},
    "data have two dimensions": {"data": np.stack([X.data, X.data], axis=1)},
}


@pytest.mark.parametrize("name", BROKEN)
def test_arrays_that_disagree_are_refused(name):
    assert_refused(Rows(matrix(), **BROKEN[name]), ValueError, "X is not a valid CSR matrix")


@pytest.mark.parametrize("indptr", [np.zeros(0, np.int32), np.zeros((1, ROWS + 1), np.int32)])
def test_a_matrix_that_scipy_itself_cannot_count_is_refused(indptr):
    """Its nnz raises an error of SciPy's."""
    broken = matrix()
    vars(broken)["indptr"] = indptr
    with pytest.raises(ValueError, match="X is not a valid CSR matrix"):
        network().forward(broken)


@pytest.mark.parametrize("place", [0, 50, LAST - 1])
@pytest.mark.parametrize("column", [-1, COLUMNS, COLUMNS + 1, 2**31 - 1, -(2**31)])
def test_a_column_that_there_is_not_is_refused_by_number(place, column):
    says = f"X has an entry in column {column}, but it has {COLUMNS} columns"
    broken = changed(X.indices, place, column)
    assert_refused(Rows(matrix(), indices=broken), ValueError, says)
    own = matrix()
    own.indices[place] = column
    assert_refused(own, ValueError, says)


@pytest.mark.parametrize("column", [2**32, 2**32 + 1, 2**62, -(2**62)])
def test_a_column_beyond_32_bits_is_refused_and_not_cut(column):
    broken = changed(X.indices.astype(np.int64), 5, column)
    assert_refused(Rows(matrix(), indices=broken), ValueError, f"in column {column},")


@pytest.mark.parametrize("bad, says", [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")])
@pytest.mark.parametrize("place", [0, 50, LAST - 1])
def test_an_entry_that_is_not_finite_is_refused_by_row_and_column(bad, says, place):
    own = matrix()
    own.data[place] = bad
    [[row, column]] = np.argwhere(~np.isfinite(own.toarray()))
    position = rf"X\[{row}, {column}\] is {says} as float32, but it must be finite"
    for broken in (own, shuffled(own), own.tocsc(), own.tocoo()):
        assert_refused(broken, ValueError, position.replace("X", ".*X", 1))


def test_an_entry_too_large_for_the_network_s_precision_is_refused():
    own = matrix()
    own.data[0] = 1e300
    column = own.indices[0]
    assert_refused(own, ValueError, rf"X\[0, {column}\] is inf as float32", in_double_too=False)
    assert_like_dense(own * 1e-290, "float64")


def test_duplicates_whose_sum_is_not_finite_are_refused_by_row_and_column():
    data, indices = np.full(2, 3e38, np.float32), np.array([6, 6], np.int32)
    broken = scipy.csr_array((data, indices, np.append([0, 0, 2], [2] * 38)), (ROWS, COLUMNS))
    with np.errstate(over="ignore"):
        assert_refused(broken, ValueError, r"X\[1, 6\] is inf as float32", in_double_too=False)


def test_another_number_of_features_is_refused():
    for features in (1, COLUMNS - 1, COLUMNS + 1):
        wrong = scipy.csr_array((ROWS, features))
        says = f"has {features} features, but the network expects {COLUMNS}"
        assert_refused(wrong, ValueError, says)


def test_a_matrix_of_another_dimension_is_refused():
    for shape in ((COLUMNS,), (ROWS, COLUMNS, 1)):
        wrong = Rows(matrix(), shape=shape)
        assert_refused(wrong, ValueError, "X has (shape|.* features)")
    if hasattr(scipy, "coo_array"):
        try:
            vector = scipy.coo_array(np.ones(COLUMNS))
        except ValueError:
            return  # This SciPy knows matrices alone.
        assert_refused(vector, ValueError, ".")


@pytest.mark.parametrize("kind", [np.complex128, object, "U1"])
def test_numbers_that_are_not_real_are_refused(kind):
    wrong = Rows(matrix(), data=matrix().data.astype(kind))
    assert_refused(wrong, TypeError, "X has dtype .*, but real numbers are expected")


def test_another_number_of_targets_is_refused():
    net, before = network(), network().parameters
    for y in (LABELS[:-1], np.append(LABELS, 0)):
        with pytest.raises(ValueError, match=f"X has {ROWS} rows, but y has {len(y)}"):
            fit(net, matrix(), y)
    assert same_bits(net.parameters, before)


def test_targets_are_never_sparse():
    with pytest.raises(TypeError, match=r"y is a sparse matrix.*y\.toarray\(\)"):
        fit(network(), matrix(), scipy.csr_array(np.eye(3)[LABELS]))


LACKING = {
    "nothing": {"shape": None, "indptr": None, "indices": None, "data": None},
    "a shape of words": {"shape": ("a", 1)},
    "a shape of one number": {"shape": 3},
    "a shape below zero": {"shape": (-1, COLUMNS), "indptr": X.indptr[:0]},
    "ragged lists": {"indices": [[1], [1, 2]]},
}


@pytest.mark.parametrize("changes", LACKING.values(), ids=LACKING)
def test_what_only_looks_sparse_is_refused(changes):
    says = "X.tocsr.. has not the shape|X is not a valid CSR|X has shape"
    wrong = Rows(matrix())
    vars(wrong).update(changes)
    assert_refused(wrong, (TypeError, ValueError), says)
    with pytest.raises(TypeError, match="X.tocsr.. has not the shape, indptr, indices and data"):
        network().forward(type("Empty", (), {"tocsr": lambda self: self})())
