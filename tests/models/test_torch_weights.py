"""Imported networks are those of PyTorch; other files are refused by name."""

import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy import errors
from jaxprivacy.models import targets, torch_weights
from tests import arrays

torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")

from tests.models import torch_twins  # noqa: E402

IMAGE = (32, 32, 3)
NETWORKS = {
    "alexnet": (
        lambda: torch_twins.AlexNet(7),
        {"name": "alexnet"},
    ),
    "resnet-8": (
        lambda: torch_twins.ResNet(1, False, 7),
        {"name": "resnet", "depth": 8},
    ),
    "resnet-20": (
        lambda: torch_twins.ResNet(3, False, 7),
        {"name": "resnet", "depth": 20, "block": "basic"},
    ),
    "resnet-20 of bottlenecks": (
        lambda: torch_twins.ResNet(2, True, 7),
        {"name": "resnet", "depth": 20, "block": "bottleneck"},
    ),
    "densenet": (
        lambda: torch_twins.DenseNet(2, 5, 7),
        {"name": "densenet", "depth": 16, "growth_rate": 5},
    ),
}


def built(name, normalisation="batch", **settings):
    return targets.build(name, IMAGE, 7, normalisation=normalisation, **settings)


@pytest.fixture
def small():
    """ResNet-8 in both, and its weights."""
    twin = torch_twins.randomised(torch_twins.ResNet(1, False, 7), 0)
    return built("resnet", depth=8), twin.state_dict()


@pytest.fixture
def file(tmp_path):
    return str(tmp_path / "model_best.pth.tar")


@pytest.mark.parametrize("network", NETWORKS)
def test_logits_are_those_of_pytorch(network, file):
    make, settings = NETWORKS[network]
    twin, model = torch_twins.randomised(make(), 1), built(**settings)
    torch.save(twin.state_dict(), file)
    params = torch_weights.load(file, model)
    chex.assert_trees_all_equal_shapes_and_dtypes(
        params, jax.eval_shape(model.init, jax.random.key(0))
    )
    x = arrays.normal(2, 3, *IMAGE)
    with torch.no_grad():
        nchw = torch.from_numpy(np.array(x)).permute(0, 3, 1, 2)
        want = twin(nchw).numpy()
    assert np.ptp(want, axis=0).min() > 1e-2  # They depend on the images.
    fast = {"xla_backend_optimization_level": 0}
    got = jax.jit(model.apply, compiler_options=fast)(params, x)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4 * np.abs(want).max())


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("best", [None, torch.tensor(0.4), np.float64(0.4), 0.4])
def test_checkpoints_and_prefixes(prefix, best, small, file):
    """`best` is what a checkpoint holds beside; None: the bare state_dict."""
    model, state = small
    torch.save(state, file)
    want = torch_weights.load(file, model)
    named = {prefix + name: value for name, value in state.items()}
    optimizer = torch.optim.SGD(
        [torch.nn.Parameter(torch.ones(2))], lr=0.1
    ).state_dict()
    checkpoint = {
        "epoch": 3,
        "arch": "resnet",
        "state_dict": named,
        "best_acc": best,
        "optimizer": optimizer,
    }
    torch.save(named if best is None else checkpoint, file)
    chex.assert_trees_all_equal(torch_weights.load(file, model), want)


def test_what_is_no_weight_is_passed_by(small, file):
    model, state = small
    torch.save(state, file)
    want = torch_weights.load(file, model)
    more = {"epoch": 3, "total_ops": torch.zeros(1), "bn1.total_params": torch.ones(1)}
    torch.save({**state, **more}, file)
    chex.assert_trees_all_equal(torch_weights.load(file, model), want)


def test_the_public_alexnet_has_module_inside_its_names(file):
    twin = torch_twins.randomised(torch_twins.AlexNet(7), 2)
    model = built("alexnet")
    torch.save(twin.state_dict(), file)
    want = torch_weights.load(file, model)
    twin.features = torch.nn.DataParallel(twin.features)
    assert "features.module.0.weight" in twin.state_dict()
    torch.save({"state_dict": twin.state_dict()}, file)
    chex.assert_trees_all_equal(torch_weights.load(file, model), want)


@pytest.mark.parametrize("depth", [8, 14, 20, 44])
def test_another_depth_is_told_which_one_fits(depth, file):
    twin = torch_twins.randomised(torch_twins.ResNet(2, True, 7), 3)
    torch.save(twin.state_dict(), file)
    fit = "--model=resnet --depth=20 --block=bottleneck --normalisation=batch"
    refused(file, built("resnet", depth=depth), f"; the file fits {fit} on data of 7")


def test_where_a_weight_goes(small, file):
    model, state = small
    torch.save(state, file)
    params = torch_weights.load(file, model)
    block = params["params"]["layer2_0"]
    kernel = state["layer2.0.conv1.weight"]
    assert block["conv1"]["kernel"][0, 2, 5, 9] == kernel[9, 5, 0, 2].item()
    assert params["params"]["fc"]["kernel"][3, 6] == state["fc.weight"][6, 3].item()
    np.testing.assert_array_equal(
        block["downsample_1"]["scale"], state["layer2.0.downsample.1.weight"]
    )
    averages = params["batch_stats"]["layer2_0"]["downsample_1"]
    for ours, theirs in (("mean", "running_mean"), ("var", "running_var")):
        want = state[f"layer2.0.downsample.1.{theirs}"]
        np.testing.assert_array_equal(averages[ours], want)


def test_an_imported_model_sees_what_it_was_trained_on():
    pixels = np.random.default_rng(0).integers(0, 256, (2, *IMAGE))
    want = (pixels / 255 - torch_weights.MEAN) / torch_weights.STD
    x = jnp.asarray(pixels / 127.5 - 1, jnp.float32)
    np.testing.assert_allclose(torch_weights.standardise(x), want, rtol=1e-5, atol=1e-5)

    plain = targets.build("mlp", IMAGE, 7)
    model = targets.build("mlp", IMAGE, 7, preprocess=torch_weights.standardise)
    params = arrays.params_of(plain, scale=0.02)
    np.testing.assert_allclose(
        jax.jit(model.apply)(params, x),
        jax.jit(plain.apply)(params, jnp.asarray(want, jnp.float32)),
        rtol=1e-4,
        atol=1e-5,
    )


def changed(state, **changes):
    state = {**state, **{n.replace("__", "."): v for n, v in changes.items()}}
    return {name: value for name, value in state.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"layer1__0__bn2__running_var": None}, "lacks layer1.0.bn2.running_var;"),
        ({"fc__bias": None}, "lacks fc.bias;"),
        ({"layer1__1__conv1__weight": torch.zeros(1)}, "holds layer1.1.conv1.weight,"),
        (
            {"conv1__weight": torch.zeros(3, 3, 3, 16)},
            "conv1.weight of shape (3, 3, 3, 16), where the model has (16, 3, 3, 3);",
        ),
        (
            {"fc__weight": torch.zeros(64, 7)},
            "fc.weight of shape (64, 7), where the model has (7, 64);",
        ),
        # A number that belongs to no layer of the model, but is one of a layer's.
        ({"layer1__0__bn3__bias": torch.zeros(2)}, "holds layer1.0.bn3.bias, which"),
        (
            {"fc__bias": torch.tensor([0, 0, 0, np.nan, 0, 0, np.inf])},
            "holds fc.bias with 2 of 7 values that are NaN or infinite;",
        ),
        # Of several, the one that comes first in the model, whatever the file's order.
        ({"fc__bias": None, "bn1__bias": None}, "lacks bn1.bias;"),
    ],
)
def test_other_weights_are_refused_by_name(changes, said, small, file):
    model, state = small
    torch.save(changed(state, **changes), file)
    refused(file, model, said)


def test_another_normalisation_is_refused(small, file):
    torch.save(small[1], file)
    model = built("resnet", normalisation="group", depth=8)
    refused(file, model, "holds bn1.running_mean, which the model lacks")


@pytest.mark.parametrize(
    "held", [[1, 2], {}, {"state_dict": {}}, {1: torch.zeros(2)}, torch.zeros(2)]
)
def test_files_without_weights_are_refused(held, small, file):
    torch.save(held, file)
    refused(file, small[0], "")


class Evil:
    def __reduce__(self):
        return exec, ("raise SystemExit",)


def test_files_that_run_code_are_refused(small, file):
    torch.save({"state_dict": Evil()}, file)
    refused(file, small[0], "cannot be read as weights alone (UnpicklingError)")


def test_no_file_and_no_torch_file(small, file):
    refused(file, small[0], "cannot be read as weights alone (FileNotFoundError)")
    with open(file, "wb") as opened:
        opened.write(b"no weights")
    refused(file, small[0], "cannot be read as weights alone")


def test_without_pytorch_the_extra_is_named(monkeypatch, small, file):
    monkeypatch.setitem(sys.modules, "torch", None)
    refused(file, small[0], "pip install 'jaxprivacy-attacks[torch]'")


def refused(file, model, said):
    with pytest.raises(errors.InputError) as caught:
        torch_weights.load(file, model)
    message = str(caught.value)
    assert message.startswith(f"import_target={file}: ")
    assert said in message and "accepted" in message
    assert "\n" not in message
