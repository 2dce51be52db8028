"""Which settings of the white-box study are accepted, before anything runs."""

from __future__ import annotations

from jaxprivacy import checks, errors
from jaxprivacy.studies import parts, whitebox_settings

LEAST_PARTICIPANTS = {"global": 1, "local": 2}


def check(settings: whitebox_settings.WhiteboxSettings) -> None:
    """Checks every setting that can be judged without the data.

    Raises:
      InputError: naming the setting, its value and what is accepted.
    """
    parts.check(settings)
    checks.seed("seed", settings.seed + settings.seeds - 1)
    _check_lists(settings)
    _check_files(settings)
    _check_attackers(settings)
    _check_supervision(settings)
    _check_rounds_and_victims(settings)
    if settings.setting == "federated":
        _check_participants(settings)


def _check_lists(settings):
    for text in settings.observed_rounds:
        whitebox_settings.observed(text, settings.rounds)
    for pair in (("layers", "gradients"), ("attack_members", "attack_non_members")):
        first, second = (len(getattr(settings, name)) for name in pair)
        if min(first, second) > 1 and first != second:
            raise errors.InputError(
                pair[1],
                found=f"{second} values for {first} of `{pair[0]}`",
                accepted="are one, or as many",
            )
    _check_different(settings)


def _check_different(settings):
    """No case is there twice."""
    observed = [
        tuple(whitebox_settings.observed(text, settings.rounds))
        for text in settings.observed_rounds
    ]
    for name, cases in (
        ("participants", settings.participants),
        ("ascent_rate", settings.ascent_rate),
        ("observed_rounds", observed),
        ("attack_members", settings.attack_sizes()),
        ("layers", settings.variants()),
    ):
        if len(set(cases)) < len(cases):
            given = " ".join(map(str, getattr(settings, name)))
            raise errors.InputError(
                name,
                given,
                found="two cases are the same",
                accepted="are different ones",
            )


def _check_attackers(settings):
    """Who attacks, and what it does."""
    if not settings.attackers():
        raise errors.InputError(
            "mode",
            ",".join(settings.mode),
            found="a local attacker isolates nobody",
            accepted="are passive, gradient_ascent, or `attacker`=global",
        )
    if settings.setting != "federated" and (settings.attacker, settings.mode) != (
        ("global",),
        ("passive",),
    ):
        raise errors.InputError(
            ("mode", "attacker"),
            (",".join(settings.mode), ",".join(settings.attacker)),
            found=f"`setting`={settings.setting} has nobody to act on",
            accepted="are passive and global",
        )


def _check_supervision(settings):
    """What the attacks may know of the membership of records."""
    if settings.setting != "standalone" and "shadow" in settings.supervision:
        raise errors.InputError(
            "supervision",
            ",".join(settings.supervision),
            found="shadow models are trained like a stand-alone target",
            accepted="with `setting`=standalone",
        )
    if settings.shadows < 2 and "shadow" in settings.supervision:
        raise errors.InputError(
            "shadows",
            settings.shadows,
            "are at least 2; the last one selects the epoch",
        )
    ascends = any(len(settings.rates(mode)) > 1 for mode in settings.mode)
    if ascends and "supervised" not in settings.supervision:
        raise errors.InputError(
            "ascent_rate",
            ",".join(map(str, settings.ascent_rate)),
            found="without a supervised attack there is nothing to choose by",
            accepted="is one rate",
        )
    if settings.setting == "finetune" and settings.supervision != ("supervised",):
        raise errors.InputError(
            "supervision",
            ",".join(settings.supervision),
            "with `setting`=finetune is supervised",
        )


def _check_rounds_and_victims(settings):
    """What is observed, and of whom."""
    if settings.setting == "finetune" and settings.observed_rounds != ("1",):
        raise errors.InputError(
            "observed_rounds",
            " ".join(settings.observed_rounds),
            "with `setting`=finetune is 1; the models before and after are what "
            "is held",
        )
    if settings.victims == "all" and not (
        settings.setting == "federated" and "global" in settings.attacker
    ):
        raise errors.InputError(
            "victims",
            settings.victims,
            "with `setting`=federated and `attacker`=global, who sees each "
            "participant's upload; else first",
        )


def _check_participants(settings):
    """How many there are, where there are several."""
    for mode in settings.mode:
        if mode.startswith("isolating") and min(settings.participants) < 2:
            raise errors.InputError(
                "participants",
                min(settings.participants),
                f"are at least 2 with `mode`={mode}",
            )
    for attacker in settings.attacker:
        least = LEAST_PARTICIPANTS[attacker]
        for count in settings.participants:
            if count < least:
                raise errors.InputError(
                    "participants",
                    count,
                    f"are at least {least} with a {attacker} attacker",
                )


def _check_files(settings):
    """What goes with a target that is imported or exported."""
    for flag in ("import_target", "export_target"):
        path = getattr(settings, flag)
        if path and (settings.setting != "standalone" or settings.seeds > 1):
            raise errors.InputError(
                flag, path, "with `setting`=standalone and `seeds`=1"
            )
    if settings.import_target and settings.export_target:
        raise errors.InputError(
            "export_target",
            settings.export_target,
            "without `import_target`; what was imported is kept already",
        )
    if settings.import_target and settings.observed_rounds != ("1",):
        raise errors.InputError(
            "import_target",
            settings.import_target,
            found="is one snapshot",
            accepted="with `observed_rounds`=1",
        )
    if settings.import_target and "shadow" in settings.supervision:
        raise errors.InputError(
            "import_target",
            settings.import_target,
            found="how it was trained is not known",
            accepted="without `supervision`=shadow",
        )
    if settings.imports_torch() and settings.members_per_participant is None:
        raise errors.InputError(
            "members_per_participant",
            "",
            "with a PyTorch file is the number of records, from the first on, "
            "that it was trained on",
        )
    if settings.imports_torch() and settings.records is not None:
        raise errors.InputError(
            "records",
            settings.records,
            found="a PyTorch file was trained on the first records of all",
            accepted="is the flag's absence",
        )
    if settings.normalisation == "batch" and not settings.imports_torch():
        raise errors.InputError(
            "normalisation",
            "batch",
            "with an imported PyTorch file; training here does not mix examples",
        )
