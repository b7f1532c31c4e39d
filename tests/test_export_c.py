"""The C that ``Network.export`` writes computes the words of ``forward``, whatever compiles it.

The oracle is the library; where files come from another machine, the certificate in the file, which
is shown to fail.
"""

import ctypes
import platform
import re
import shutil
import subprocess

import numpy as np
import pytest

from bpcore import Network, Standardizer, _core
from bpcore.export import _c99, _c_text
from tests import real_data
from tests.bits import needs_fused, same_bits
from tests.programs import ROOT, c_compiler

pytestmark = needs_fused
COMPILER = c_compiler()
needs_compiler = pytest.mark.skipif(
    shutil.which(COMPILER[0]) is None, reason="there is no C compiler here"
)
STRICT = "-std=c99 -Wall -Wextra -Wconversion -Wshadow -pedantic -Werror".split()
DTYPES = ("float32", "float64")

# Every compiler and machine of the promise: (command, what runs the program).
MACHINES = {
    "gcc-O0": ("gcc -O0", ""),
    "gcc-O3-native": ("gcc -O3 -march=native", ""),
    "gcc-gnu-native": ("gcc -std=gnu99 -O2 -march=native", ""),
    "clang": ("clang -O2", ""),
    "clang-native": ("clang -O3 -march=native", ""),
    "aarch64": ("aarch64-linux-gnu-gcc -std=gnu99 -O3 -static", "qemu-aarch64-static"),
    "arm-hard": ("arm-linux-gnueabihf-gcc -O2 -static", "qemu-arm-static"),
    "arm-vfpv4": ("arm-linux-gnueabihf-gcc -O2 -static -mfpu=vfpv4", "qemu-arm-static"),
    "arm-soft": ("arm-linux-gnueabi-gcc -O2 -static -mfloat-abi=soft", "qemu-arm-static"),
    "s390x": ("s390x-linux-gnu-gcc -O2 -static -fexcess-precision=fast", "qemu-s390x-static"),
    "ppc64": ("powerpc64-linux-gnu-gcc -O2 -static", "qemu-ppc64-static"),
    "wasm": ("clang --target=wasm32-wasi -O2", f"node {ROOT}/tests/c/run_wasi.mjs"),
}


def network(activation, dtype, standardize=False):
    """Weights and biases of no special values; its last layer has the activation, too."""
    hidden = "tanh" if activation in ("softmax", "exp") else activation
    loss = None if activation in _core.LOSS_OUTPUTS.values() else "mse"
    how = {"hidden": hidden, "output": activation, "loss": loss, "dtype": dtype}
    net = Network([20, 32, 16, 3], **how, seed=1, standardize=standardize)
    for layer, b in enumerate(net.biases):
        b[...] = np.random.RandomState(layer).uniform(-1, 1, len(b))
    if standardize:
        net.scaling = Standardizer(np.linspace(-1, 1, 20), np.linspace(0.5, 2, 20))
    return net


def rows(dtype, n=500):
    """Of all sizes that a sigmoid tells apart, with zeros of both signs."""
    X = 3 * np.random.RandomState(0).standard_normal((n, 20)).astype(dtype)
    X[np.random.RandomState(1).uniform(size=X.shape) < 0.2] = 0
    X[0, :5] = -0.0
    return X


def written(net, path, labels=None, **options):
    _c99.write(net, path, labels=labels, **options)
    return path


def library(*paths, flags=("-O2",)):
    """The exported files as a shared library; a warning is an error."""
    target = paths[0].with_suffix(".so")
    command = [*COMPILER, *STRICT, *flags, "-shared", "-fPIC", *paths, "-o", target, "-lm"]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(target))


def computed(function, X, outputs, dtype):
    """What a function of one row gives for each."""
    Y = np.empty((len(X), outputs), dtype)
    for x, y in zip(X, Y, strict=True):
        function(x.ctypes.data_as(ctypes.c_void_p), y.ctypes.data_as(ctypes.c_void_p))
    return Y


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """{(activation, dtype): network} and one library that has them all."""
    folder, nets = tmp_path_factory.mktemp("c"), {}
    for dtype in DTYPES:
        for i, activation in enumerate(_core.ACTIVATIONS):
            net = nets[activation, dtype] = network(activation, dtype, standardize=i % 2 == 0)
            path = folder / f"{activation}_{dtype}.c"
            written(net, path, check=rows(dtype), batch=True)
    return nets, folder


@pytest.fixture(scope="module")
def compiled(exported):
    if shutil.which(COMPILER[0]) is None:
        pytest.skip("there is no C compiler here")
    return library(*sorted(exported[1].glob("*.c")))


CASES = [(activation, dtype) for dtype in DTYPES for activation in _core.ACTIVATIONS]


@pytest.mark.parametrize(("activation", "dtype"), CASES)
def test_every_activation_has_the_words_of_forward(exported, compiled, activation, dtype):
    net, X = exported[0][activation, dtype], rows(dtype)[::7].copy()
    forward = getattr(compiled, f"{activation}_{dtype}_forward")
    Y = computed(forward, X, 3, net.dtype)
    assert np.array_equal(Y, net.forward(X))
    together = np.empty_like(Y)
    batch = getattr(compiled, f"{activation}_{dtype}_forward_rows")
    batch(X.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(len(X)),
          together.ctypes.data_as(ctypes.c_void_p))  # fmt: skip
    assert same_bits(together, Y)


@pytest.mark.parametrize(("activation", "dtype"), CASES)
def test_every_certificate_counts_no_word(compiled, activation, dtype):
    assert getattr(compiled, f"{activation}_{dtype}_certificate")() == 0


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_certificate_counts_what_one_wrong_bit_changes(tmp_path, dtype):
    """The last bit of one bias of the last layer changes that output in nearly all rows."""
    net = network("identity", dtype)
    path = written(net, tmp_path / "net.c", check=rows(dtype, 50))
    text = path.read_text()
    (array,) = re.findall(r"net_b3\[3\] = \{\n.*?\};", text, re.DOTALL)
    changed = net.biases[2].copy()
    changed[1] = np.nextafter(changed[1], np.inf, dtype=dtype)
    real = "float" if dtype == "float32" else "double"
    planted = _c_text.array(f"{real} net_b3[3]", [_c_text.number(b, real) for b in changed])
    path.write_text(text.replace(array, planted.strip().removeprefix(f"static const {real} ")))
    A = net.forward(rows(dtype, 50))
    net.biases[2][...] = changed
    different = int((net.forward(rows(dtype, 50)) != A).sum())
    assert different > 0
    assert library(path).net_certificate() == different


def program(exported, target, command):
    """One program with all certificates; it prints those that count something, then 'done'."""
    nets, folder = exported
    names = [f"{activation}_{dtype}" for activation, dtype in nets]
    calls = "".join(f'    n = {x}_certificate(); if (n) printf("{x} %d\\n", n);\n' for x in names)
    includes = "".join(f'#include "{name}.h"\n' for name in names)
    main = target.with_suffix(".main.c")
    main.write_text(
        f"#include <stdio.h>\n{includes}int main(void)\n{{\n    int n;\n{calls}"
        '    puts("done");\n    return 0;\n}\n'
    )
    strict = STRICT[1:] if "-std=" in command else STRICT
    files = [*sorted(folder.glob("*_float??.c")), main]
    libraries = [] if "wasm" in command else ["-lm"]
    call = [*command.split(), *strict, f"-I{folder}", *files, "-o", target, *libraries]
    subprocess.run(call, check=True)
    return target


@pytest.mark.long
@pytest.mark.parametrize("machine", MACHINES)
def test_other_compilers_and_machines_count_no_word(exported, tmp_path, machine):
    command, runner = MACHINES[machine]
    for tool in filter(None, (command.split()[0], runner.partition(" ")[0])):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool} here")
    target = program(exported, tmp_path / "all", command)
    done = subprocess.run([*runner.split(), target], capture_output=True, text=True, timeout=600)
    assert done.stdout == "done\n"


@needs_compiler
def test_a_label_is_what_predict_says(tmp_path):
    X = rows("float32", 100)
    for output, sizes in (("sigmoid", [20, 8, 1]), ("softmax", [20, 8, 4])):
        net = Network(sizes, output=output, seed=3)
        labels = ["no", "yes"] if output == "sigmoid" else list("abcd")
        net_library = library(written(net, tmp_path / f"{output}.c", labels=labels))
        classes = getattr(net_library, f"{output}_class")
        found = [classes(x.ctypes.data_as(ctypes.c_void_p)) for x in X]
        assert np.array_equal(found, net.predict(X))
        names = (ctypes.c_char_p * len(labels)).in_dll(net_library, f"{output}_labels")
        assert [name.decode() for name in names] == labels


@needs_compiler
def test_labels_are_the_bytes_that_users_see(tmp_path):
    labels = ['say "no"', "back\\slash ??/", "zwölf\n"]
    net = Network([20, 3], output="softmax", seed=1)
    names = (ctypes.c_char_p * 3).in_dll(
        library(written(net, tmp_path / "net.c", labels=labels)), "net_labels"
    )
    assert [name.decode() for name in names] == labels


@needs_compiler
def test_the_network_of_the_first_tutorial_has_the_words_of_forward(tmp_path):
    (X, y), (X_test, _) = real_data.mnist58()
    net = Network([784, 196, 1], seed=1)
    net.fit(X, y, epochs=20, learning_rate=0.5)
    path = written(net, tmp_path / "digits.c", check=X_test[:20])
    digits = library(path, flags=("-O2", "-march=native"))
    assert digits.digits_certificate() == 0
    X_test = np.ascontiguousarray(X_test)
    Y = computed(digits.digits_forward, X_test, 1, np.float32)
    assert np.array_equal(Y, net.forward(X_test))


# ---- Its own multiply-add ------------------------------------------------------------------------


MISTAKES = {  # Rounding to nearest twice, and cutting off.
    "float": ("error != 0 &&", "error != error &&"),
    "float, in whole numbers": ("up ? 1 : 0", "up ? 0 : 0"),
    "double": ("up ? 1 : 0", "up ? 0 : 0"),
}


@needs_compiler
@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"),
    reason="this processor's compilers always use its own multiply-add",
)
@pytest.mark.parametrize("real", MISTAKES)
@pytest.mark.parametrize("triples", [600_000, pytest.param(10_100_000, marks=pytest.mark.long)])
def test_its_own_fma_is_that_of_the_c_library(tmp_path, real, triples):
    assert differing(tmp_path, real, triples, ("", "")) == "0 wrong"
    assert differing(tmp_path, real, triples, MISTAKES[real]) != "0 wrong"


def differing(folder, name, triples, change):
    """The last line of tests/c/own_fma.c, with a change in the text of the multiply-add."""
    real, _, way = name.partition(", ")
    bits = 32 if real == "float" else 64
    own = _c_text.piece(f"fma_{real}.c", {"name": "net", "real": real, "word": f"uint{bits}_t"})
    if way:  # What compilers for ARM without registers for double choose.
        own = f"#define __arm__ 1\n{own}#undef __arm__\n"
    assert change[0] in own
    (folder / "own.h").write_text(own.replace(*change))
    flags = [f"-DSIZE={bits}", f"-I{folder}", "-O2", "-mno-fma", "-std=c99"]
    command = [*COMPILER, *flags, ROOT / "tests/c/own_fma.c", "-o", folder / "check", "-lm"]
    subprocess.run(command, check=True)
    done = subprocess.run([folder / "check", str(triples)], capture_output=True, text=True)
    return done.stdout.splitlines()[-1]


# ---- The door ------------------------------------------------------------------------------------


def test_every_piece_of_kernel_text_becomes_plain_c(exported):
    for path in exported[1].glob("*_float??.c"):
        assert not re.search(r"\bv_\w+|KERNEL_NAME|\breal\b|ALWAYS_INLINE", path.read_text())


def test_names_follow_the_file_or_are_given(tmp_path):
    net = Network([2, 1], seed=1)
    net.export(tmp_path / "my-net 2.c")
    assert (
        "void my_net_2_forward(const float x[2], float y[1]);"
        in (tmp_path / "my-net 2.h").read_text()
    )
    net.export(tmp_path / "5.c", name="five")
    assert "five_forward" in (tmp_path / "5.c").read_text()
    with pytest.raises(ValueError, match="'5' cannot begin names in C: give name='net'"):
        net.export(tmp_path / "5.c")
    with pytest.raises(ValueError, match="name is 'for', but an identifier of C is expected"):
        net.export(tmp_path / "net.c", name="for")


def test_a_placement_stands_at_every_constant(tmp_path):
    where = '__attribute__((section(".flash")))'
    net = network("tanh", "float32", standardize=True)
    text = written(net, tmp_path / "net.c", placement=where, check=rows("float32", 2)).read_text()
    pattern = r"^static const \w+ net_(?:[Wb]\d|shift|scale|checked_\w+)\[.*$"
    constants = re.findall(pattern, text, re.M)
    assert len(constants) == 10 and all(where in line for line in constants)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"path": "net.py"}, ValueError, "net.py', but it must end in .onnx or .c"),
        ({"path": "net.onnx", "check": [[0, 0]]}, ValueError, "check is no option of a .onnx file"),
        ({"check": [[0, 0, 0]]}, ValueError, "check has 3 features, but the network expects 2"),
        ({"check": [[0, np.nan]]}, ValueError, r"check\[0, 1\] is nan"),
        ({"batch": 1}, TypeError, "batch is 1, but True or False is expected"),
        ({"placement": 5}, TypeError, "placement is 5, but text of C is expected"),
    ],
)
def test_what_cannot_be_exported_is_refused(tmp_path, options, error, message):
    path = tmp_path / options.pop("path", "net.c")
    with pytest.raises(error, match=message):
        Network([2, 1], seed=1).export(path, **options)
    assert not path.exists()


def test_a_network_that_is_not_finite_leaves_the_old_file(tmp_path):
    net = Network([2, 1], seed=1)
    net.export(tmp_path / "net.c")
    old = (tmp_path / "net.c").read_text()
    net.weights[0][0, 1] = np.inf
    with pytest.raises(ValueError, match=r"parameters\[1\] is inf"):
        net.export(tmp_path / "net.c")
    assert (tmp_path / "net.c").read_text() == old


def test_a_file_says_which_network_it_is(tmp_path):
    net = Network([2, 1], seed=1)
    net.export(tmp_path / "net.c")
    net.quantize(np.eye(2)).export(tmp_path / "small.c")
    for name in ("net.c", "small.c"):
        assert net.fingerprint() in (tmp_path / name).read_text()[:1000]


@needs_compiler
@pytest.mark.parametrize(
    ("file", "name"), [("my-model 2", None), ("word", None), ("real", None), ("5", "five")]
)
def test_the_source_includes_the_header_that_is_written(tmp_path, file, name):
    net = Network([2, 3, 1], hidden="gelu", seed=1)
    net.export(tmp_path / f"{file}.c", name=name, check=np.eye(2, dtype="float32"))
    compiled = library(tmp_path / f"{file}.c")
    name = name or file.replace("-", "_").replace(" ", "_")
    assert getattr(compiled, f"{name}_certificate")() == 0
    net.quantize(np.eye(2)).export(tmp_path / f"{file}.c", name=name)
    assert library(tmp_path / f"{file}.c")


def test_a_header_that_no_source_can_include_is_refused(tmp_path):
    with pytest.raises(ValueError, match="C includes no file whose name has quotes"):
        Network([2, 1], seed=1).export(tmp_path / 'a"b.c', name="net")
    assert list(tmp_path.iterdir()) == []


@needs_compiler
def test_one_class_is_always_the_class(tmp_path):
    net = Network([2, 1], seed=1)
    net.biases[0][...] = 5
    one = library(written(net, tmp_path / "one.c", labels=[7]))
    assert one.one_class(np.ones(2, np.float32).ctypes.data_as(ctypes.c_void_p)) == 0


def test_source_and_header_are_replaced_together_or_not_at_all(tmp_path):
    Network([2, 1], seed=1).export(tmp_path / "net.c")
    old = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "net.c").unlink()
    (tmp_path / "net.c").mkdir()  # The source cannot be written there.
    with pytest.raises(OSError, match="net.c"):
        Network([3, 1], seed=1).export(tmp_path / "net.c")
    assert (tmp_path / "net.h").read_bytes() == old["net.h"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.c", "net.h"]
