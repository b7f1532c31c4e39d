"""The recipes of CONTRIBUTING.md are complete: what is added to a copy by their steps alone keeps
the laws of all others, which the copy's own tests know.
"""

import os
import re
import shutil
import subprocess
import sys

import pytest

from bpcore import _core
from tests.programs import ROOT

GUIDE = "docs/guide/activations_and_losses.md"

# (file, a text in it, what is put before that text), step by step.
ACTIVATION = [
    (
        "csrc/bpcore.h",
        "    X(BP_EXP,",
        "    X(BP_SOFTSIGN, softsign, OUTPUT) /* z / (1 + |z|) */ \\\n",
    ),
    (
        "csrc/kernels/activations_template.h",
        "/* e^z is its own derivative. */",
        """static ALWAYS_INLINE ATTR v_real KERNEL_NAME(softsign)(v_real z)
{
    return v_div(z, v_add(v_set1(1), v_and(z, v_bits(SIGN_BIT - 1))));
}

static ALWAYS_INLINE ATTR v_real KERNEL_NAME(softsign_backward)(v_real d, v_real a)
{
    const v_real rest = v_sub(v_set1(1), v_and(a, v_bits(SIGN_BIT - 1)));
    return v_mul(d, v_mul(rest, rest));
}

""",
    ),
    (
        "bpcore/reference.py",
        '    "exp": (np.exp,',
        """    "softsign": (
        lambda z: z / (1 + np.abs(z)),
        lambda d, z, a: d * (1 - np.abs(a)) ** 2,
    ),
""",
    ),
    ("bpcore/_types.py", '    "exp",\n', '    "softsign",\n'),
    ("bpcore/network.py", '"exp", "identity".\n', '"softsign", '),
    (GUIDE, '| `"exp"` |', '| `"softsign"` | $z / (1 + |z|)$ | -1 ... 1 | small networks |\n'),
    (
        "bpcore/export/_graph.py",
        '    "exp": _operator("Exp"),',
        '    "softsign": lambda z: z / (abs(z) + 1.0),\n',
    ),
]
LOSS = [
    (
        "csrc/bpcore.h",
        "    X(BP_POISSON,",
        "    X(BP_GEMAN, geman, BP_ANY_OUTPUT, 0) /* 1/2 e^2 / (1 + e^2) for e = a - y */ \\\n",
    ),
    (
        "csrc/nn/loss_template.h",
        "    case BP_MAE: return (real)",
        "    case BP_GEMAN: return e / ((1 + e * e) * (1 + e * e));\n",
    ),
    (
        "csrc/nn/loss_template.h",
        "    case BP_MAE: return distance;",
        "    case BP_GEMAN: return 0.5 * distance * distance / (1 + distance * distance);\n",
    ),
    (
        "bpcore/reference.py",
        '    "mae": (lambda a, y:',
        """    "geman": (
        lambda a, y: (a - y) ** 2 / (1 + (a - y) ** 2) / 2,
        lambda a, y: (a - y) / (1 + (a - y) ** 2) ** 2,
    ),
""",
    ),
    ("bpcore/_types.py", '"mae", "huber"', '"geman", '),
    ("bpcore/network.py", '"mae" (``|a - y|``)', '"geman" (outliers weigh nothing), '),
    (GUIDE, '| `"mae"` |', '| `"geman"` | $e^2 / 2 (1 + e^2)$ | all | outliers weigh nothing |\n'),
]
OPTIMIZER = [
    (
        "csrc/bpcore.h",
        "    X(BP_NESTEROV,",
        "    X(BP_HEAVY_BALL, heavy_ball, 1) /* v := momentum v + g; w -= r v */ \\\n",
    ),
    (
        "csrc/kernels/updates_template.h",
        "/* decay m + (1 - decay) g. */",
        """static ALWAYS_INLINE ATTR v_real KERNEL_NAME(heavy_ball_step)(
    const NAME(bp_update) *how, v_real w, v_real g, v_real *first, v_real *second)
{
    (void)second;
    *first = v_fma(v_set1(how->momentum), *first, g);
    return v_fma(v_set1(-how->rate), *first, v_mul(v_set1(how->keep), w));
}

""",
    ),
    (
        "bpcore/optimizers.py",
        "@dataclass(frozen=True)\nclass RMSprop(",
        '''@dataclass(frozen=True)
class HeavyBall(Momentum):
    """v := momentum v + g; w := w - r v."""


''',
    ),
    ("bpcore/optimizers.py", '    "RMSprop",\n', '    "HeavyBall",\n'),
    ("bpcore/optimizers.py", '    RMSprop: "rmsprop",\n', '    HeavyBall: "heavy_ball",\n'),
    (
        "bpcore/reference.py",
        "def rmsprop(",
        '''def heavy_ball(w, g, state, rate, momentum=0.9):
    """A velocity of gradients."""
    state["v"] = momentum * state.get("v", 0) + g
    w -= rate * state["v"]


''',
    ),
    ("bpcore/reference.py", '    "rmsprop": rmsprop,\n', '    "heavy_ball": heavy_ball,\n'),
    ("bpcore/_types.py", '    "rmsprop",\n', '    "heavy_ball",\n'),
    ("bpcore/network.py", '"rmsprop", "adam"', '"heavy_ball", '),
    (
        "docs/guide/optimizers.md",
        '| `"rmsprop"` |',
        '| `"heavy_ball"` | $v := \\mu v + g$; $w := w - r v$ | `momentum` = 0.9 | none |\n',
    ),
]
RECIPES = {"An activation": ACTIVATION, "A loss": LOSS, "An optimiser": OPTIMIZER}

# Of these, the copy's own tests: of gradients, instruction sets, bpcore.reference and names.
TESTS = "gradient_grid layer elementary losses backward optimizers reference recipes types docs"
TESTS += " explain export_onnx"
TOYS = "softsign or geman or heavy_ball or names_in_types or guide_names or reference_is"

USE = """
import numpy as np, bpcore
X = np.random.RandomState(0).standard_normal((40, 3))
given = dict(hidden="softsign", output="identity", loss="geman", dtype="float64", seed=0)
net = bpcore.Network([3, 5, 2], **given)
history = net.fit(X, X[:, :2], epochs=200, optimizer="heavy_ball", learning_rate=0.01, batch_size=8)
assert history.loss[-1] < history.loss[0] / 5
net.save("net.safetensors")
again = bpcore.Network.load("net.safetensors")
assert again.loss_name == "geman" and again.hidden == ("softsign",)
net.fit(X, X[:, :2], epochs=1, optimizer="heavy_ball", learning_rate=0.01)
again.fit(X, X[:, :2], epochs=1, optimizer="heavy_ball", learning_rate=0.01)
assert (again.parameters == net.parameters).all()
"""


def recipe(name):
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    return re.search(rf"\*\*{name}\*\*(.*?)\n\n(?!\d)(?=\S)", text, re.DOTALL)[1]


def named_files(name):
    return set(re.findall(r"`((?:csrc|bpcore|docs)/[\w/]+\.\w+)`", recipe(name)))


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_names_what_its_toy_touches(name):
    touched, named = {file for file, _, _ in RECIPES[name]}, named_files(name)
    named |= named_files("An activation") if "As step 4 above" in recipe(name) else set()
    assert touched <= named


def test_the_guide_names_every_activation_loss_and_optimiser():
    pages = [(GUIDE, [*_core.ACTIVATIONS, *_core.LOSSES])]
    pages += [("docs/guide/optimizers.md", _core.OPTIMIZERS)]
    for page, names in pages:
        text = (ROOT / page).read_text("utf-8")
        assert [name for name in names if not re.search(rf'^\| .*"{name}"', text, re.M)] == []


def follow(copy):
    for steps in RECIPES.values():
        for file, place, new in steps:
            text = (copy / file).read_text("utf-8")
            assert text.count(place) == 1, (file, place)
            (copy / file).write_text(text.replace(place, new + place), "utf-8")


@pytest.mark.long
def test_what_the_recipes_add_keeps_the_laws_of_all_others(tmp_path):
    pytest.importorskip("Cython")
    copy, site, log = (tmp_path / name for name in ("copy", "site", "log"))
    left_out = shutil.ignore_patterns(".*", "build", "*.egg-info", "*.so", "__pycache__")
    shutil.copytree(ROOT, copy, ignore=left_out)
    follow(copy)

    def run(*command):
        with log.open("w") as output:
            environment = {**os.environ, "PYTHONPATH": str(site)}
            how = dict(cwd=copy, env=environment, stdout=output, stderr=subprocess.STDOUT)
            status = subprocess.run([sys.executable, *command], **how).returncode
        text = log.read_text("utf-8")
        assert status == 0, text[-4000:]
        return text

    run("-m", "pip", "install", "--no-deps", "--no-build-isolation", "--target", str(site), ".")
    run("-c", USE)
    files = [f"tests/test_{name}.py" for name in TESTS.split()]
    verbose = run("-m", "pytest", "-v", "-p", "no:cacheprovider", *files, "-k", TOYS)
    for toy in ("softsign", "geman", "heavy_ball"):
        assert len(re.findall(rf"{toy}.* PASSED", verbose)) > 10
