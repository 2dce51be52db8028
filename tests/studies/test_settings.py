import dataclasses
import math

import pytest

from jaxprivacy import errors
from jaxprivacy.studies.gan_parts import COMPARED
from jaxprivacy.studies.settings import (
    GanSettings,
    Settings,
    check,
    check_gan,
)

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
    ({"model": "rnn"}, "model=rnn: accepted are mlp, cnn"),
    ({"partition": "shards"}, "partition=shards"),
    ({"preset": "other"}, "preset=other"),
    ({"rounds": 0}, "rounds=0"),
    ({"rounds": 2.5}, "rounds=2.5"),
    ({"participants": True}, "participants=True"),
    ({"batch_size": -1}, "batch_size=-1"),
    ({"records": 0}, "records=0"),
    ({"members_per_participant": 0}, "members_per_participant=0"),
    ({"learning_rate": 0.0}, "learning_rate=0.0"),
    ({"learning_rate": math.nan}, "learning_rate=nan"),
    ({"ascent_rate": math.inf}, "ascent_rate=inf"),
    ({"attack_train_fraction": 0.0}, "attack_train_fraction=0.0"),
    ({"selection_fraction": 1.1}, "selection_fraction=1.1"),
    ({"mlp_widths": (8, 0)}, "mlp_widths=0"),
    ({"seed": -1}, "seed=-1"),
    ({"seed": 2**32}, "seed=4294967296: accepted are 0 to 4294967295"),
    ({"momentum": 1.0}, "momentum=1.0: accepted are numbers in [0, 1)"),
    ({"rounds": 4}, "observed_rounds=5: accepted are 1 to rounds=4"),
]


GAN_ACCEPTED = [
    {},
    {"order": "random", "upload_rule": "random", "generator_optimizer": "adam"},
    {"order": "asynchronous", "clip_first": False},
    {"compare": ()},
    {"compare": ("dcgan",)},
    {"held_fraction": 0.999},
    {"upload_fraction": 1e-6, "download_fraction": 1.0},
    {"learning_rate_decay": 0.0, "threshold": 0.0, "mode_seeking": 0.0},
    {"epsilon_per_parameter": math.inf, "gradient_bound": 1e-9},
    {"start_accuracy": 1.0, "start_round": 1000},
    {"adversary_data": False, "start_round": 3},
    {"participants": 2, "adversary_data": False},
]
GAN_REFUSED = [
    ({"model": "rnn"}, "model=rnn: accepted are mlp, cnn"),
    (
        {"order": "parallel"},
        "order=parallel: accepted are round_robin, random, async",
    ),
    ({"upload_rule": "all"}, "upload_rule=all: accepted are largest, random"),
    (
        {"generator_optimizer": "rmsprop"},
        "generator_optimizer=rmsprop: accepted are sgd, adam",
    ),
    (
        {"compare": ("dcgan", "gan")},
        f"compare=gan: accepted are {', '.join(COMPARED)}",
    ),
    ({"participants": 1}, "participants=1: accepted are integers of at least 2"),
    ({"held_fraction": 0.0}, "held_fraction=0.0: accepted are fractions between"),
    ({"held_fraction": 1.0}, "held_fraction=1.0: accepted are fractions between"),
    ({"held_fraction": math.nan}, "held_fraction=nan"),
    ({"upload_fraction": 0.0}, "upload_fraction=0.0: accepted are fractions in (0"),
    ({"download_fraction": 1.1}, "download_fraction=1.1"),
    ({"download_fraction": math.nan}, "download_fraction=nan"),
    ({"learning_rate_decay": math.inf}, "learning_rate_decay=inf"),
    ({"threshold": math.nan}, "threshold=nan"),
    ({"gradient_bound": 0.0}, "gradient_bound=0.0"),
    ({"gradient_bound": math.inf}, "gradient_bound=inf"),
    (
        {"epsilon_per_parameter": 0.0},
        "epsilon_per_parameter=0.0: accepted are numbers above 0 and inf",
    ),
    ({"epsilon_per_parameter": math.nan}, "epsilon_per_parameter=nan"),
    ({"start_accuracy": 1.1}, "start_accuracy=1.1: accepted are numbers in [0, 1]"),
    ({"start_accuracy": math.nan}, "start_accuracy=nan"),
    (
        {"start_accuracy": 0.5, "adversary_data": False},
        "start_accuracy=0.5: without data the adversary cannot measure it",
    ),
    ({"start_round": 2.5}, "start_round=2.5"),
    ({"generator_batch": 1}, "generator_batch=1"),
    ({"injected": 1}, "injected=1"),
    ({"seed": 2**32}, "seed=4294967296: accepted are 0 to 4294967295"),
]


@pytest.mark.parametrize("changes", ACCEPTED)
def test_accepted(changes):
    check(Settings(**changes))


@pytest.mark.parametrize("changes", GAN_ACCEPTED)
def test_gan_accepted(changes):
    check_gan(GanSettings(**changes))


@pytest.mark.parametrize(("changes", "said"), REFUSED)
def test_refused(changes, said):
    with pytest.raises(errors.InputError) as error:
        check(Settings(**changes))
    assert str(error.value).startswith(said) and "accepted" in str(error.value)


@pytest.mark.parametrize(("changes", "said"), GAN_REFUSED)
def test_gan_refused(changes, said):
    with pytest.raises(errors.InputError) as error:
        check_gan(GanSettings(**changes))
    assert str(error.value).startswith(said) and "accepted" in str(error.value)


@pytest.mark.parametrize(
    ("kind", "check"), [(Settings, check), (GanSettings, check_gan)]
)
def test_every_number_is_checked(kind, check):
    for field in dataclasses.fields(kind):
        if "int" in str(field.type) or "float" in str(field.type):
            bad = (-1,) if field.name == "mlp_widths" else -1
            with pytest.raises(errors.InputError, match=f"{field.name}=-1"):
                check(kind(**{field.name: bad}))


def test_the_audit_s_collaboration_has_the_audit_s_settings():
    """Nothing but its rounds, and what the paper leaves to the GAN attack's flags."""
    both = {
        "data": "npz:a",
        "model": "mlp",
        "participants": 7,
        "target_class": 3,
        "learning_rate": 0.3,
        "local_epochs": 3,
        "generator_steps": 2,
        "seed": 5,
    }
    found = Settings(**both, gan_rounds=9, rounds=40).collaboration()
    assert found == GanSettings(**both, rounds=9)
    check_gan(found)


def test_preset_takes_the_kernels_asked_for():
    preset = Settings(gradient_kernels=7).attack_preset()
    assert (preset.name, preset.gradient_kernels) == ("anchored", 7)
