"""Membership attacks on outputs, over the number of reference models.

python -m benchmarks.reference_models --data=npz:FILE --out=docs/membership/NAME

One pool of models is trained as `launch.audit --setting=standalone` trains it. Models
of it take the target's place in turn, and each is attacked with a few, some and all of
the others for references.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib

import jax
from absl import app, flags

from jaxprivacy.data import reference_sets
from jaxprivacy.evaluation import membership, tpr
from jaxprivacy.report import plots_references, plots_style, progress
from jaxprivacy.studies import (
    reference_attacks,
    reference_audit,
    reference_records,
    results,
)
from jaxprivacy.studies.settings import Settings

_DATA = flags.DEFINE_string("data", "digits", "As of launch.audit.")
_RECORDS = flags.DEFINE_integer("records", None, "As of launch.audit.")
_REFERENCES = flags.DEFINE_integer("references", 64, "The most reference models.")
_TARGETS = flags.DEFINE_integer("targets", 8, "How many models are attacked in turn.")
_WIDTHS = flags.DEFINE_list("mlp_widths", ["256", "128"], "As of launch.audit.")
_EPOCHS = flags.DEFINE_integer("epochs", 40, "Passes over a model's records.")
_RATE = flags.DEFINE_float("learning_rate", 0.05, "As of launch.audit; momentum 0.9.")
_BATCH = flags.DEFINE_integer("batch_size", 64, "As of launch.audit.")
_GRADIENTS = flags.DEFINE_boolean(
    "gradients", False, "Attacks on the gradients as well, at 16 references alone."
)
_OUT = flags.DEFINE_string("out", None, "Folder of the result.", required=True)

SIZES = (2, 4, 8, 16, 32, 64)
# Of two references, one a side, there is no variance.
FROM_FOUR = ("lira_online", "lira_offline", "lira_gradient_norm", "lira_leaf_norms")
ALONE = ("loss_threshold", "modified_entropy", "population", "quantile")
ALONE += ("quantile_gradient_norm",)


def settings() -> Settings:
    """Those of the audit that trains the same pool."""
    return Settings(
        data=_DATA.value,
        records=_RECORDS.value,
        setting="standalone",
        attacks=_names(),
        references=_REFERENCES.value,
        mlp_widths=tuple(map(int, _WIDTHS.value)),
        rounds=_EPOCHS.value,
        local_epochs=1,
        batch_size=_BATCH.value,
        learning_rate=_RATE.value,
        momentum=0.9,
    )


def _names():
    of_outputs = tuple(reference_attacks.ATTACKS)
    return of_outputs + tuple(reference_attacks.OF_GRADIENTS) * _GRADIENTS.value


def rows(trained, prepared, target, seed):
    """Every attack on one target with each number of references."""
    said = trained.said
    dealt, (x, y) = prepared.dealt, prepared.records
    member = dealt.held[target]
    models = reference_sets.others(len(dealt.held), target)
    sizes = (16,) if _GRADIENTS.value else SIZES
    for count in (size for size in sizes if size <= len(models)):
        seen = reference_attacks.shown(
            said,
            dealt.held,
            y,
            x,
            target,
            models[:count],
            seed,
            trained.inside,
        )
        alone = ALONE if count == sizes[0] else ()
        names = [
            name
            for name in _names()
            if name in alone
            or reference_records.needs_references(name)
            and not (count < 4 and name in FROM_FOUR)
        ]
        for name, values in reference_attacks.scores(seen, names).items():
            kinds = values[member], values[~member]
            yield {
                "attack": name,
                "setting": "standalone",
                "attacker": "global",
                "mode": "passive",
                "references": 0 if name in ALONE else count,
                "seed": target,
                "members": len(kinds[0]),
                "non_members": len(kinds[1]),
                "trained": None,
                "auc": membership.auc(*kinds)._asdict(),
                "tpr_at_fpr": tpr.tpr_at_fpr(*kinds),
            }


def main(argv):
    """Trains the pool, attacks, and writes result.json."""
    del argv
    jax.config.update("jax_num_cpu_devices", len(os.sched_getaffinity(0)))
    of, begun, out = settings(), results.begin(), pathlib.Path(_OUT.value)
    prepared = reference_audit.prepare(of)
    with progress.progress(reference_audit.weight(of)) as stages:
        with reference_audit.checkpoints(of, prepared, f"{out}.checkpoint") as kept:
            trained = reference_audit.train(of, prepared, stages, kept)
        stages.stage("attacks", reference_audit.STAGES["attacks"])
        found = []
        for target in range(_TARGETS.value):
            found += rows(trained, prepared, target, of.seed)
            stages.advance(1 / _TARGETS.value)
    command = f"python -m benchmarks.reference_models {' '.join(flags_given())}"
    result = {
        **results.origin(command, dataclasses.asdict(of), {}, prepared.dataset, begun),
        **reference_audit.accuracies(trained.said, prepared.dealt),
        "membership": found,
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    figure = plots_references.references_figure(found)
    figure.savefig(out / "references.png", dpi=plots_style.DPI)


def flags_given() -> list[str]:
    """The flags of this command that were given."""
    own = flags.FLAGS.get_key_flags_for_module(__name__)
    return [f.serialize() for f in own if f.present]


if __name__ == "__main__":
    app.run(main)
