"""What the launch scripts share: flags, errors, the compilation cache."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import shlex
import sys
from collections.abc import Callable
from typing import TypeVar

from absl import app, flags, logging

from jaxprivacy import checks

T = TypeVar("T")

HELP = {
    "data": "digits | att_faces | tfds:NAME | npz:PATH. An npz file holds x and y, or "
    "x_train, y_train, x_test and y_test.",
    "records": "Use so many records, drawn at random class by class. Absent: all; "
    "launch.audit takes at most 4000 of images larger than 16 pixels.",
    "model": "mlp | cnn (paper A's network for the image size). Absent: cnn for "
    "images, mlp for tables.",
    "mlp_widths": "Widths of the mlp's hidden layers.",
    "participants": "Participants of federated training.",
    "members_per_participant": "Records a participant trains on. Absent: records / "
    "(participants + 4).",
    "partition": "iid | by_class | dirichlet: how records are dealt to participants. "
    "The GAN attack always deals them by class.",
    "dirichlet_alpha": "Concentration of --partition=dirichlet.",
    "victim": "The participant whose members are attacked, from 0.",
    "attack_train_fraction": "Share of the victim's records that the attacker knows.",
    "selection_fraction": "Share of them on which the attack's epoch is selected.",
    "rounds": "Rounds of training.",
    "local_epochs": "Epochs each participant trains in a round.",
    "batch_size": "Records in a batch of local training.",
    "learning_rate": "Of local SGD.",
    "momentum": "Of local SGD, kept from round to round.",
    "learning_rate_decay": "d: the rate of step t is learning_rate / (1 + d t).",
    "held_fraction": "Share of the records that the participants hold together; the "
    "independent judge learns from the rest.",
    "adversary_data": "Whether the adversary holds records of its own.",
    "order": "round_robin | random: in which order participants take their turns.",
    "upload_fraction": "theta_u: share of the parameters that a participant uploads.",
    "download_fraction": "theta_d: share that it downloads, the most updated first.",
    "upload_rule": "largest | random: which parameters are uploaded; random takes them "
    "among those above --threshold.",
    "threshold": "tau: of a random or private upload.",
    "gradient_bound": "gamma: uploads are clipped to [-gamma, gamma]. Absent: they are "
    "not; 0.001 under privacy.",
    "epsilon_per_parameter": "Differential privacy: epsilon of each uploaded parameter "
    "and round, released by the sparse-vector technique. Absent: no privacy.",
    "clip_first": "Clip updates before the noise too; without it, as in the paper, "
    "the guarantee holds only for updates that gamma does not clip.",
    "influence": "Whether the adversary injects its samples as an artificial class.",
    "start_round": "Rounds of honest training before the attack.",
    "start_accuracy": "The attack waits until the shared model reaches this accuracy "
    "on the adversary's records.",
    "generator_optimizer": "sgd | adam.",
    "mode_seeking": "Weight of the mode-seeking term in the row gan_improved.",
    "compare": "What is run beside the attack.",
    "dcgan_steps": "Steps of the DCGAN on the victim's images.",
    "observed_rounds": "Rounds, evenly spaced, at which the server keeps the victim's "
    "parameters.",
    "preset": "Attack network: table-xiv.",
    "gradient_kernels": "Kernels over each layer's gradient in the attack network. "
    "Table XIV has 1000, for which two cores are too slow.",
    "ascent_rate": "Rate of the active server's gradient ascent.",
    "target_class": "The class that the GAN attacker reconstructs.",
    "gan_rounds": "Rounds of collaborative training under the GAN attack.",
    "generator_learning_rate": "Of the attacker's generator.",
    "generator_steps": "Steps of the generator in a round.",
    "generator_batch": "Samples in a step of the generator.",
    "injected": "Generated samples that the attacker adds to its data in a round.",
    "seed": "Of every random choice.",
}


CHECKPOINT = (
    "Folder that keeps the state of the runs: after an interruption, the same command "
    "goes on from there. Removed when the report is written. Absent: --out with "
    ".checkpoint added; empty: nowhere."
)


def checkpoint_folder(asked: str | None, out: str) -> str:
    """The folder that is asked for, or else the one beside `--out`."""
    return os.path.normpath(out) + ".checkpoint" if asked is None else asked


def define_settings(kind_of_settings: type) -> None:
    """Defines a flag for each field of a dataclass, as flags of the calling module."""
    for field in dataclasses.fields(kind_of_settings):
        kind, text = str(field.type).removesuffix(" | None"), HELP[field.name]
        if kind.startswith("tuple"):
            flags.DEFINE_list(field.name, [str(item) for item in field.default], text)
        elif kind == "bool":
            flags.DEFINE_bool(field.name, field.default, text)
        elif kind == "int":
            flags.DEFINE_integer(field.name, field.default, text)
        elif kind == "float":
            flags.DEFINE_float(field.name, field.default, text)
        else:
            flags.DEFINE_string(field.name, field.default, text)
    flags.DEFINE_string(
        "compilation_cache",
        "~/.cache/jaxprivacy",
        "Folder where compiled programs are kept; empty: nowhere.",
    )


def settings(kind_of_settings: type[T]) -> T:
    """Reads the flags back as settings, not yet checked."""
    names = [field.name for field in dataclasses.fields(kind_of_settings)]
    values = {name: flags.FLAGS[name].value for name in names}
    lists = {name: tuple(v) for name, v in values.items() if isinstance(v, list)}
    widths = {"mlp_widths": _integers(values["mlp_widths"])}
    return kind_of_settings(**values | lists | widths)


def _integers(words: list[str]) -> tuple[int, ...]:
    if not words or not all(word.isdecimal() for word in words):
        raise checks.InputError(
            f"--mlp_widths={','.join(words)}: accepted are integers of at least 1, "
            "separated by commas"
        )
    return tuple(int(word) for word in words)


def command() -> str:
    """The command line as a shell would take it."""
    script = f"launch.{pathlib.Path(sys.argv[0]).stem}"
    return "python -m " + shlex.join([script, *sys.argv[1:]])


def use_compilation_cache() -> Callable[[], str]:
    """Keeps compiled programs on disk, so that a second run compiles nothing.

    Returns:
      A function that says how many programs were compiled and how many were found.
    """
    import jax

    counts = {"cache_hits": 0, "cache_misses": 0}

    def count(event: str, **kwargs) -> None:
        del kwargs
        name = event.removeprefix("/jax/compilation_cache/")
        if name in counts:
            counts[name] += 1

    jax.monitoring.register_event_listener(count)
    folder = flags.FLAGS.compilation_cache
    if folder:
        jax.config.update("jax_compilation_cache_dir", os.path.expanduser(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return lambda: (
        f"{counts['cache_misses']} programs compiled, {counts['cache_hits']} found "
        f"compiled in {folder or 'no cache'}"
    )


def run(main: Callable[[], None]) -> None:
    """Runs a launch script; what the user got wrong ends in one line and status 2."""

    def parse(argv: list[str]) -> list[str]:
        if {"--help", "-help", "-h"} & set(argv[1:]):
            app.usage(shorthelp=True, writeto_stdout=True)
            sys.exit(0)
        for argument in argv[1:]:
            if not _is_text(argument):
                _refuse(f"{argument!a}: accepted are arguments in UTF-8")
        try:
            rest = flags.FLAGS(argv)
        # A value for --noname, which takes none, is a plain ValueError.
        except (flags.Error, ValueError) as error:
            _refuse(_with_accepted(error))
        if len(rest) > 1:
            _refuse(f"{rest[1]}: accepted are flags, --name=value; --help lists them")
        return rest

    def checked(argv: list[str]) -> None:
        del argv
        logging.set_verbosity(logging.WARNING)  # JAX tells which backends it tried.
        try:
            main()
        except checks.InputError as error:
            _refuse(error)

    app.run(checked, flags_parser=parse)


def _is_text(argument: str) -> bool:
    """Whether it can be written into a report: bytes that are no text cannot."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


def _with_accepted(error: Exception) -> str:
    """Adds to absl's message what is accepted."""
    named = re.match(r"flag --(\w+)=", str(error))
    if not named:
        return f"{error}; accepted are the flags that --help lists"
    flag = flags.FLAGS[named[1]]
    kind = "true or false" if flag.boolean else flag.parser.syntactic_help
    return f"{error}; accepted is {kind}"


def _refuse(problem: object) -> None:
    print("error: " + " ".join(str(problem).split()), file=sys.stderr)
    sys.exit(2)
