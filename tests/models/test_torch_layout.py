"""The names of PyTorch files and the models that they fit; PyTorch is not needed."""

import jax
import pytest

from jaxprivacy.models import targets, torch_layout

# By the flags that the file fits.
NETWORKS = {
    "--model=alexnet": {"name": "alexnet"},
    "--model=resnet --depth=20 --block=basic": {"name": "resnet", "depth": 20},
    "--model=resnet --depth=20 --block=bottleneck": {
        "name": "resnet",
        "depth": 20,
        "block": "bottleneck",
    },
    # In the first version's counting, bottlenecks from 44 on: 9 * 7 + 2.
    "--model=resnet --depth=65 --block=bottleneck": {"name": "resnet", "depth": 44},
    "--model=densenet --depth=16 --growth_rate=5": {
        "name": "densenet",
        "depth": 16,
        "growth_rate": 5,
    },
}


def weights(settings, classes=7):
    """The names and shapes of a file of this model."""
    model = targets.build(
        input_shape=(32, 32, 3),
        num_classes=classes,
        **settings | {"normalisation": "batch"},
    )
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    return torch_layout.named_shapes(shapes)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("features.module.0.weight", "features.0.weight"),  # bearpaw's AlexNet
        ("module.fc.bias", "fc.bias"),
        ("module.features.module.3.bias", "features.3.bias"),
        ("layer1.0.conv1.weight", "layer1.0.conv1.weight"),
        ("my_module.0.modules.weight", "my_module.0.modules.weight"),
    ],
)
def test_module_is_dropped_where_it_is_a_whole_component(name, plain):
    assert torch_layout.plain_name(name) == plain


@pytest.mark.parametrize("flags", NETWORKS)
def test_a_file_is_told_by_its_names_and_shapes(flags):
    fit = torch_layout.fitting(weights(NETWORKS[flags]))
    if "alexnet" not in flags:
        flags += " --normalisation=batch"
    assert fit == f"{flags} on data of 7 classes"


def test_what_no_model_here_fits():
    held = weights({"name": "resnet", "depth": 8})
    assert torch_layout.fitting({}) == ""
    assert torch_layout.fitting(held | {"layer3.5.conv1.weight": (64, 64, 3, 3)}) == ""
    assert torch_layout.fitting(held | {"conv1.weight": (64, 3, 7, 7)}) == ""
    assert torch_layout.fitting(held | {"fc.bias": ()}) == ""


def test_the_first_difference_in_the_models_order_is_named():
    wanted = {"b": (2, 3), "a": (4,)}
    assert torch_layout.mismatch(wanted, wanted) == ""
    assert torch_layout.mismatch({}, wanted) == "lacks b"
    assert torch_layout.mismatch({"b": (3, 2)}, wanted) == (
        "holds b of shape (3, 2), where the model has (2, 3)"
    )
    more = wanted | {"d": (), "c": ()}
    assert torch_layout.mismatch(more, wanted) == "holds c, which the model lacks"
