"""Small made-up reports."""

import numpy as np

from jaxprivacy.evaluation import membership
from jaxprivacy.report.contents import (
    Course,
    Diagnostics,
    GradientNorms,
    Privacy,
    Reconstructions,
    Report,
    RocCurve,
    Samples,
    Tradeoff,
)


def interval(value, low, high):
    return {"value": value, "low": low, "high": high}


def member_row(auc, attack="white_box", attacker="global", mode="passive", tprs=None):
    tprs = tprs or {0.1: (0.4, 0.3, 0.5), 0.01: (None, None, None)}
    return {
        "attack": attack,
        "setting": "federated",
        "attacker": attacker,
        "mode": mode,
        "members": 50,
        "non_members": 60,
        "confidence": 0.95,
        "threshold": 0.5,
        "auc": interval(*auc),
        "accuracy": interval(0.654, 0.601, 0.702),
        "tpr_at_fpr": [{"fpr": fpr} | interval(*t) for fpr, t in tprs.items()],
    }


def image_row(attack, hit, frechet=1.5, target=3, **more):
    return {
        "attack": attack,
        "target_class": target,
        "samples": 40,
        "hit_rate": interval(*hit),
        "confidence": 0.5,
        "frechet": frechet,
        "nearest_private": 3.25,
        "nearest_public": None,
        "diversity": 123.4,
    } | more


def many_rows(attacks=("gan", "untrained", "real"), classes=4, seeds=2):
    """Of `gan` all but class 0's with seed 0 are told from `untrained`."""
    rows = []
    for attack in attacks:
        for target in range(classes):
            for seed in range(seeds):
                good = attack != "untrained" and (attack, target, seed) != ("gan", 0, 0)
                hit = (0.9, 0.8, 0.95) if good else (0.1, 0.05, 0.2)
                frechet = 10.0 * target + seed + (1 if good else 50)
                rows.append(image_row(attack, hit, frechet, target, seed=seed))
    return rows


def result(members=(), images=(), nulls=()):
    return {
        "schema": 1,
        "command": "python -m launch.audit --data=digits",
        "seed": 7,
        "versions": {"jaxprivacy": "0.1.0"},
        "seconds": 12.34,
        "target": {"train_accuracy": 0.99, "test_accuracy": 0.8},
        "membership": list(members),
        "reconstruction": list(images),
        "null_checks": list(nulls),
    }


MEMBERS = (
    member_row((0.572, 0.511, 0.631), "loss_threshold"),
    member_row((0.712, 0.651, 0.763), mode="isolating_gradient_ascent"),
)
IMAGES = (
    image_row("untrained", (0.0, 0.0, 0.09), 80.0),
    image_row("gan", (0.9, 0.8, 0.95), 12.25),
    image_row("gan_no_influence", (1.0, 0.91, 1.0), None),
)
PLANTED = {"control": "planted", "planted": 0.7, "found": True}
CONTROLS = [
    member_row((0.688, 0.61, 0.75), "loss_threshold") | PLANTED,
    member_row((0.612, 0.54, 0.68)) | PLANTED,
]
NULLS = (member_row((0.503, 0.42, 0.581)) | {"detectable_auc": 0.65},)


def curve(label="white-box"):
    rng = np.random.default_rng(0)
    sets = rng.normal(1, size=30), rng.normal(0, size=40)
    return RocCurve(label, membership.roc(*sets), membership.auc(*sets))


def reconstructions(channels=1, attacks=("gan", "untrained")):
    rng = np.random.default_rng(1)

    def images(*shape):
        return rng.uniform(-1, 1, (*shape, 6, 5, channels))

    return Reconstructions(
        target_class=3,
        real=images(4),
        closest=images(4),
        final={attack: images(4) for attack in attacks},
        rounds=np.array([5, 10, 15]),
        over_rounds=images(3, 4),
        accuracy=np.array([0.2, 0.5, 0.9]),
    )


def privacy(total=6.34e7):
    return Privacy(
        epsilon_per_parameter=10.0,
        parameters=105_707,
        uploaded=105_700,
        epsilon_per_upload=1_057_000.0,
        uploads=60,
        epsilon_total=total,
        clip_first=True,
    )


def course(attack="gan", start=1, rounds=6, **changes):
    hit = np.linspace(0.1, 0.9, rounds)
    whole = Course(
        attack=attack,
        rounds=np.arange(1, rounds + 1),
        accuracy=np.linspace(0.3, 0.95, rounds),
        hit_rate=np.stack([hit, hit - 0.1, hit + 0.05], axis=1),
        frechet=np.geomspace(90, 4, rounds),
        start_round=start,
    )
    return whole._replace(**changes)


def class_samples(classes=2, samples=3, size=(6, 5), channels=1):
    rng = np.random.default_rng(3)
    shape = (samples, *size, channels)
    return [
        Samples(f"class {target}", rng.uniform(-1, 1, shape), rng.uniform(-1, 1, shape))
        for target in range(classes)
    ]


def tradeoff(epsilons=(0.01, 10.0, np.inf), seeds=2):
    epsilons = np.array(epsilons)
    shape = (len(epsilons), seeds)
    hit = np.linspace(0.1, 0.9, len(epsilons))
    rng = np.random.default_rng(4)
    return Tradeoff(
        epsilon_per_parameter=epsilons,
        epsilon_total=epsilons * 6_340_000,
        accuracy=rng.uniform(0.2, 0.9, shape),
        hit_rate=np.stack([hit, hit - 0.1, hit + 0.05], axis=1),
        frechet=rng.uniform(2, 90, shape),
        clip_first=True,
        clipped=np.linspace([0.8, 0.3, 0.2], [0.5, 0.2, 0.1], len(epsilons)),
        cosine=np.linspace([0.01, 0.02, 0.03], [0.7, 0.8, 0.9], len(epsilons)),
    )


def tradeoff_row(defense, strength, tpr, auc=0.8, accuracy=0.9, epsilon=None):
    def over(value, half=0.02):
        return {"value": value, "low": value - half, "high": value + half, "rows": 3}

    return {
        "defense": defense,
        "strength": strength,
        "attack": "lira_online",
        "test_accuracy": over(accuracy),
        "tpr_at_fpr": [{"fpr": 0.01, **over(tpr)}, {"fpr": 0.001, **over(tpr / 2)}],
        "auc": over(auc),
        "epsilon": epsilon,
        "strongest": True,
    }


def around(value, half, least=0.0):
    return interval(value, max(value - half, least), value + half) | {"rows": 3}


def class_row(defense, strength, works, hit=0.9, too_poor=0, epsilon=None):
    return {
        "defense": defense,
        "strength": strength,
        "attack": "gan",
        **{
            name: around(0.9, 0.01)
            for name in ("train_accuracy", "test_accuracy", "class_accuracy")
        },
        "hit_rate": around(hit, 0.05),
        "frechet": around(120.0, 30.0),
        "works": works,
        "too_poor": too_poor,
        "epsilon": epsilon,
        "noise_multiplier": None,
        "seconds": 1.0,
        "strongest": True,
    }


def update_row(defense, strength, psnr, accuracy=0.9):
    return {
        "defense": defense,
        "strength": strength,
        "attack": "invert_gradients",
        **{
            name: around(accuracy, 0.01) for name in ("train_accuracy", "test_accuracy")
        },
        "update_records": 1,
        "psnr": around(psnr, 1.0),
        "ssim": around(0.5, 0.1),
        "right_bits": None,
        "found": around(0.5, 0.5),
        "guessed_psnr": around(11.0, 0.5),
        "epsilon": None,
        "noise_multiplier": None,
        "seconds": 1.0,
        "strongest": True,
    }


def diagnostics(classes=6, each=12, epochs=8, **changes):
    """Members' norms fall; the higher its number, the more a class is told apart."""
    rng = np.random.default_rng(5)
    label = np.repeat(np.arange(classes), each)
    falls = np.linspace(0, -2, epochs)[:, None]
    gap = np.linspace(0.1, 3, classes)[label]

    def norms(center):
        return rng.lognormal(center, 0.7, (epochs, len(label)))

    whole = Diagnostics(
        epochs=np.arange(1, epochs + 1) * 10,
        members_norm=norms(falls),
        non_members_norm=norms(falls + np.linspace(0, 1, epochs)[:, None] * gap),
        members_norm_all=norms(falls + 2),
        non_members_norm_all=norms(falls / 4 + 2),
        members_label=label,
        non_members_label=label.copy(),
        members_correct=rng.random(len(label)) < 0.99,
        non_members_correct=rng.random(len(label)) < 0.95 - gap / 5,
        members_uncertainty=rng.beta(1, 9, len(label)),
        non_members_uncertainty=rng.beta(1 + gap, 6),
        members_score=rng.normal(gap / 2, 1),
        non_members_score=rng.normal(-gap / 2, 1),
        threshold=0.0,
        attack="White-box",
        embedding_members=rng.normal(-1, 0.4, 60),
        embedding_non_members=rng.normal(0.7, 0.8, 80),
    )
    return whole._replace(**changes)


def study_rows(seeds=1):
    """Rows of a white-box study: 8 conditions, each AUC 0.01 higher with each seed."""
    conditions = [
        {"layers": layers, "gradients": "all", "observed_rounds": rounds}
        for layers in ("Dense_0, Dense_1, Dense_2", "none")
        for rounds in ([20], [5, 10, 15, 20], list(range(1, 21)))
    ]
    conditions += [{"layers": "all", "participants": 2}, {"attack": "gradient_norm"}]
    return [
        member_row((0.6 + i / 20 + seed / 100, 0.55, 0.97)) | {"seed": seed} | condition
        for seed in range(seeds)
        for i, condition in enumerate(conditions)
    ]


def report(**changes):
    rounds = np.arange(1, 6)
    rng = np.random.default_rng(2)
    rates = np.linspace(0.1, 0.9, 5)
    norms = rng.lognormal(size=(5, 9)), rng.lognormal(size=(5, 11))
    whole = Report(
        result=result(MEMBERS, IMAGES, NULLS)
        | {"privacy": privacy()._asdict(), "positive_controls": CONTROLS},
        settings=[("data", "digits"), ("rounds", 5)],
        split_counts=[("victim", 1300, "trained on")],
        roc_curves=[curve(), curve("black-box")],
        gradient_norms=GradientNorms(rounds, *norms, "all layers"),
        training={
            "rounds": rounds,
            "train_accuracy": rates,
            "test_accuracy": rates / 2,
            "train_loss": 1 - rates,
        },
        reconstructions=reconstructions(),
        notes=["A made-up note."],
        courses=[course(), course("gan_no_influence")],
        class_samples=class_samples(),
        inversions=class_samples(),
        tradeoff=tradeoff(),
    )
    return whole._replace(**changes)


def study_report(seeds=1, **changes):
    """Of a white-box study, with diagnostics."""
    nulls = [row | NULLS[0] for row in study_rows(seeds)]
    return report(
        result=result(study_rows(seeds), IMAGES, nulls),
        diagnostics=diagnostics(),
        **changes,
    )


def everything():
    """Of a white-box study that tried defenses too: what there is to draw."""
    whole = study_report()
    rows = [tradeoff_row("none", None, 0.5), tradeoff_row("dp_sgd", 8.0, 0.1)]
    return whole._replace(result=whole.result | {"tradeoff": rows})


def empty_report():
    return report(
        result=result(),
        settings=[],
        split_counts=[],
        roc_curves=[],
        gradient_norms=None,
        training=None,
        reconstructions=None,
        notes=[],
        courses=(),
        class_samples=(),
        inversions=(),
        tradeoff=None,
    )
