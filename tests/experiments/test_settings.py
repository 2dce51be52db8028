import dataclasses
import math

import pytest

from jaxprivacy import checks
from jaxprivacy.experiments.settings import Settings, check

ACCEPTED = [
    {},
    {"model": "mlp", "mlp_widths": (1,)},
    {"model": "cnn"},
    {"partition": "by_class"},
    {"partition": "dirichlet", "dirichlet_alpha": 1e-3},
    {"rounds": 5, "observed_rounds": 5},
    {"rounds": 1, "observed_rounds": 1},
    {"records": 1, "members_per_participant": 1},
    {"momentum": 0.999},
    {"seed": 2**32 - 1},
    {"attack_train_fraction": 0.01, "selection_fraction": 0.98},
]
REFUSED = [
    ({"model": "rnn"}, "--model=rnn: accepted are mlp, cnn"),
    ({"partition": "shards"}, "--partition=shards"),
    ({"preset": "other"}, "--preset=other"),
    ({"rounds": 0}, "--rounds=0"),
    ({"rounds": 2.5}, "--rounds=2.5"),
    ({"participants": True}, "--participants=True"),
    ({"batch_size": -1}, "--batch_size=-1"),
    ({"records": 0}, "--records=0"),
    ({"members_per_participant": 0}, "--members_per_participant=0"),
    ({"learning_rate": 0.0}, "--learning_rate=0.0"),
    ({"learning_rate": math.nan}, "--learning_rate=nan"),
    ({"ascent_rate": math.inf}, "--ascent_rate=inf"),
    ({"attack_train_fraction": 0.0}, "--attack_train_fraction=0.0"),
    ({"selection_fraction": 1.1}, "--selection_fraction=1.1"),
    ({"mlp_widths": (8, 0)}, "--mlp_widths=0"),
    ({"seed": -1}, "--seed=-1"),
    ({"seed": 2**32}, "--seed=4294967296: accepted are 0 to 4294967295"),
    ({"momentum": 1.0}, "--momentum=1.0: accepted are numbers in [0, 1)"),
    ({"rounds": 4}, "--observed_rounds=5: accepted are 1 to --rounds=4"),
]


@pytest.mark.parametrize("changes", ACCEPTED)
def test_accepted(changes):
    check(Settings(**changes))


@pytest.mark.parametrize(("changes", "said"), REFUSED)
def test_refused(changes, said):
    with pytest.raises(checks.InputError) as error:
        check(Settings(**changes))
    assert str(error.value).startswith(said) and "accepted" in str(error.value)


def test_every_number_is_checked():
    for field in dataclasses.fields(Settings):
        if "int" in str(field.type) or "float" in str(field.type):
            bad = (-1,) if field.name == "mlp_widths" else -1
            with pytest.raises(checks.InputError, match=f"--{field.name}=-1"):
                check(Settings(**{field.name: bad}))


def test_preset_takes_the_kernels_asked_for():
    preset = Settings(gradient_kernels=7).attack_preset()
    assert (preset.name, preset.gradient_kernels) == ("table-xiv", 7)
