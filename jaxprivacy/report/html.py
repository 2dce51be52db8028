"""One self-contained page: no script, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
import pathlib
from collections.abc import Sequence
from typing import Any

import jinja2

from jaxprivacy.evaluation import (
    diagnostics,
    reconstruction as reconstruction_lib,
    three_way,
)
from jaxprivacy.report import (
    contents,
    facts as facts_lib,
    plots,
    text,
    verdict,
    verdict_bounds,
    verdict_exposure,
    verdict_inversion,
    verdict_membership,
    verdict_privacy,
    verdict_rows,
    verdict_tradeoff,
    words,
)
from jaxprivacy.report.threats import (
    ATTACKERS,
    MODES,
    SEATLESS,
    SETTINGS,
    card,
    defense,
    distinguishing,
    in_order,
    label,
    variant,
)

CAVEATS = (
    "The numbers are what these attacks found: another attack may find more, and no "
    "evidence of exposure is not evidence of none.",
)
SIMULATED_CAVEATS = (
    "The training was simulated on one machine, with the settings below and no others.",
)
GIVEN_CAVEATS = (
    "The model was trained elsewhere: that the members were trained on and the others "
    "not is what whoever gave them said. The intervals cover which records were drawn, "
    "not the randomness of training: another training gives another model.",
)
ONE_SEED_CAVEAT = (
    "The intervals cover which records were drawn for the evaluation, not the "
    "randomness of training: another seed gives another model."
)
SEEDS_CAVEAT = (
    "The interval of a single row covers which records or samples were drawn, not the "
    "randomness of training; that shows in the differences between seeds."
)
MEMBERSHIP_CAVEATS = (
    "The AUC and the accuracy are averages over records. A few unusual records can be "
    "far more exposed; the true positive rate at a low false positive rate shows them "
    "better.",
    "There is a fixed mix of members and non-members in the evaluation. Where members "
    "are rare, the same attack is wrong more often when it says member.",
    "The interval of a true positive rate allows for the threshold, which the "
    "non-members at hand set; few of them say little about a low false positive rate.",
    "The strongest attack was picked on the records that it is judged on, which "
    "flatters its AUC a little when attacks are close; the verdict goes by wider "
    "intervals, which hold for all attacks together.",
)
INVERSION_CAVEATS = (
    "The attacker is taken to know the model, the parameters sent out, the rate and "
    "how many records and local steps there were. Which reconstruction stands for "
    "which record of a batch is settled with the records at hand, for guesses as well.",
    "PSNR and SSIM compare pixels: a record that is recognised by eye may score low, "
    "and an average of many images higher. Look at the pictures too.",
)
RECONSTRUCTION_CAVEATS = (
    "Samples show what a class looks like; they are not copies of training records. "
    "Where a class is one person, that alone exposes the person.",
    "An attack works where its hit rate and its Frechet distance both tell its samples "
    "from those of an untrained generator and from real images of another class: "
    "either can be fooled alone. The hit rate saturates early; the Frechet distance "
    "ranks attacks, among samples of the same number only. Look at the pictures too.",
    "Where samples lie no nearer to the victim's images than to others of the class, "
    "they show the class, not the victim.",
)


def render(report: contents.Report, figures: dict[str, bytes]) -> str:
    """Returns the page of a report; see `page`."""
    return page(report.result, facts_lib.of(report), figures)


def page(
    result: dict[str, Any], facts: facts_lib.Facts, figures: dict[str, bytes]
) -> str:
    """Returns the page.

    Args:
      result: what result.json holds; every string in it is escaped.
      facts: what else is said; likewise.
      figures: PNG bytes by file name, as `plots.draw` returns them.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": text.number,
        "percent": text.percent,
        "rate": lambda value: _glued(text.rate(value)),
        "significant": text.significant,
        "epsilon": text.epsilon,
        "number_interval": text.number_interval,
        "percent_interval": text.percent_interval,
    }
    environment.globals |= {
        "at_fpr": text.at_fpr,
        "label": label,
        "dash": text.MISSING,
        "most_epsilon": verdict_privacy.MOST_EPSILON,
        "bad_checks": verdict_rows.BAD_CHECKS,
        "check_word": verdict_rows.check_word,
        "gain": verdict_rows.gain,
        "recall": three_way.recall,
        "show_percent": text.percent,
        "show_number": text.number,
        "show_decimal": lambda value: text.number(value, 1),
        "inversion_case": verdict_inversion.case,
        "show_significant": text.significant,
        "card": card,
        "distinguishing": distinguishing,
        "variant": variant,
    }
    return environment.get_template("template.html").render(
        _context(result, facts, figures)
    )


def _context(
    result: dict[str, Any], facts: facts_lib.Facts, figures: dict[str, bytes]
) -> dict[str, Any]:
    result = verdict_tradeoff.without_single_rows(result)
    membership = result["membership"]
    reconstruction = in_order(result["reconstruction"])
    several = text.several_seeds(membership)
    inverted = result.get("gradient_inversion", [])
    checks = verdict_rows.checks(result)
    said = verdict.of(result)
    headline, *findings = map(_glued, said["sentences"])
    return {
        "facts": facts,
        "result": result,
        "subject": "training run" if facts.simulated else "model",
        "headline": headline,
        "findings": findings,
        "level": said["level"],
        "badge": verdict.badge(said["level"]),
        "first_terms": [words.AUC, words.INTERVAL] if membership else [words.INTERVAL],
        "terms": words.of_tables(result) + _privacy_terms(result),
        "strengths": verdict_membership.STRENGTHS,
        **_membership_context(membership),
        **_privacy_context(result),
        "meaning": verdict_exposure.meaning(result),
        "exposure": _exposure(result),
        "bounds": _bounds(result),
        "defenses": _defenses(result),
        "three_way": three_way.summarise(result.get("three_way", [])),
        "checks": checks,
        "many_checks": text.is_long(checks),
        "untrained_checks": any(row.get("target") == "untrained" for row in checks),
        "planted_checks": any(row.get("control") for row in checks),
        "failed_checks": sum(
            verdict_rows.check_word(row) in verdict_rows.BAD_CHECKS for row in checks
        ),
        "least": diagnostics.LEAST,
        "over_rounds_of": facts.sampled and facts.sampled["attack"],
        "reconstructed_by": _by_attack(reconstruction),
        "reconstruction": reconstruction,
        "inverted": sorted(inverted, key=lambda row: row["gain"] is None),
        "inverted_by": _by_attack(inverted),
        "means": reconstruction_lib.summarise(reconstruction)
        if text.is_long(reconstruction)
        else [],
        "seeded": any(row.get("seed") is not None for row in reconstruction),
        "caveats": [
            *CAVEATS,
            *_of_training(facts.simulated, several or _seeds(reconstruction) > 1),
            *(MEMBERSHIP_CAVEATS if membership else ()),
            *(RECONSTRUCTION_CAVEATS if reconstruction else ()),
            *(INVERSION_CAVEATS if inverted else ()),
        ],
        "figures": {
            name.removesuffix(".png"): "data:image/png;base64,"
            + base64.b64encode(figures[name]).decode()
            for name in plots.ALL_NAMES
            if name in figures
        },
    }


def _of_training(simulated: bool, several_seeds: bool) -> Sequence[str]:
    """Returns what the numbers do not say of the training."""
    if not simulated:
        return GIVEN_CAVEATS
    return *SIMULATED_CAVEATS, SEEDS_CAVEAT if several_seeds else ONE_SEED_CAVEAT


def _membership_context(rows: list[dict]) -> dict[str, Any]:
    shown = text.shown_rows(rows)
    return {
        "fprs": _fprs(rows),
        "shown_fprs": verdict_exposure.shown_fprs(rows),
        "by_attack": _by_attack(rows),
        "shown_rows": shown,
        "compared": any(verdict_rows.gain(row) for row in shown),
        "against": _against(rows),
        "untrained_rows": any(row.get("trained") is False for row in rows),
        "unlearned_rows": any(row.get("learned") is False for row in rows),
        "shown_keys": distinguishing(shown),
        "keys": distinguishing(rows),
        "seeds": text.means_named(rows),
        "over": text.averaged_over(rows),
        "settings": _explained(rows, "setting", SETTINGS),
        "attackers": _explained(
            [row for row in rows if row["setting"] not in SEATLESS],
            "attacker",
            ATTACKERS,
        ),
        "modes": _explained(rows, "mode", MODES),
    }


def _privacy_terms(result: dict) -> list[tuple[str, str]]:
    privacy = result.get("privacy")
    return [verdict_privacy.term(privacy)] if privacy else []


def _privacy_context(result: dict) -> dict[str, Any]:
    privacy = result.get("privacy")
    return {
        "privacy": privacy,
        "guaranteed": privacy and verdict_privacy.guarantees(privacy),
        "privacy_claim": privacy and verdict_privacy.claim(privacy),
        "uploads": verdict_privacy.uploads(result),
    }


def _exposure(result: dict) -> dict[str, Any] | None:
    if not verdict_exposure.records(result):
        return None
    return {
        "records": verdict_exposure.records(result),
        "classes": verdict_exposure.classes(result),
        "told": verdict_exposure.told(result),
    }


def _bounds(result: dict) -> dict[str, Any] | None:
    audited = result.get("privacy_audit")
    if not audited:
        return None
    return {
        "rows": verdict_bounds.rows(audited),
        "told": verdict_bounds.told(audited),
    }


def _defenses(result: dict) -> dict[str, Any] | None:
    rows = result.get("tradeoff")
    if not rows:
        return None
    names = dict.fromkeys(row["defense"] for row in rows)
    return {
        "rows": verdict_tradeoff.table(rows),
        "told": verdict_tradeoff.told(rows),
        "cards": [defense(name) for name in names],
    }


def _against(rows: list[dict]) -> str:
    """Returns which attacks the others are compared with, for readers."""
    named = [
        verdict_rows.gain(row)["against"] for row in rows if verdict_rows.gain(row)
    ]
    return ", ".join(card(name).title for name in dict.fromkeys(named) if name)


def _glued(sentence: str) -> str:
    """Returns a sentence in which no line ends between a number and its unit."""
    return sentence.replace(" %", "\N{NO-BREAK SPACE}%")


def _by_attack(rows: list[dict]) -> dict[str, list[dict]]:
    grouped: dict[str, list[dict]] = {}
    for row in rows:
        grouped.setdefault(row["attack"], []).append(row)
    return grouped


def _seeds(rows: list[dict]) -> int:
    return len({row.get("seed") for row in rows} - {None})


def _explained(rows: list[dict], key: str, words: dict[str, str]) -> dict[str, str]:
    """Returns the explanations of those values that occur, in their order."""
    occurring = {row[key] for row in rows}
    return {
        name.replace("_", " "): meaning
        for name, meaning in words.items()
        if name in occurring
    }


def _fprs(rows: list[dict]) -> list[float]:
    fprs = {entry["fpr"] for row in rows for entry in row["tpr_at_fpr"]}
    return sorted(fprs, reverse=True)
