"""The findings as tables for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jaxprivacy.evaluation import reconstruction as reconstruction_lib, three_way
from jaxprivacy.report import (
    contents,
    facts as facts_lib,
    text,
    verdict,
    verdict_bounds,
    verdict_exposure,
    verdict_inversion,
    verdict_privacy,
    verdict_rows,
    verdict_tradeoff,
    words,
)
from jaxprivacy.report.threats import card, distinguishing, in_order, variant


def print_summary(report: contents.Report, console: Console) -> None:
    """Prints the tables and the verdict of a report; see `print_result`."""
    print_result(report.result, facts_lib.of(report), console)


def print_result(
    result: dict[str, Any], facts: facts_lib.Facts, console: Console
) -> None:
    """Prints the tables and the verdict.

    Args:
      result: what result.json holds.
      facts: what else is said.
      console: where to print.
    """
    result = verdict_tradeoff.without_single_rows(result)
    if result["membership"]:
        console.print(_membership(result["membership"]))
        console.print(Text(_footnote(result["membership"]), style="dim"))
        console.print(_explained((words.AUC, *words.MEMBERSHIP)))
        for sentence in verdict_exposure.meaning(result):
            console.print(Text(f"  {sentence}"))
    if records := verdict_exposure.records(result):
        console.print(_cells(records[: verdict_exposure.FEW], "Who is at risk"))
        console.print(Text(f"  {verdict_exposure.told(result)}", style="dim"))
    if result.get("three_way"):
        console.print(_three_way(result["three_way"]))
    if result["reconstruction"]:
        rows = in_order(result["reconstruction"])
        several = text.is_long(rows)
        console.print(_means(rows) if several else _reconstruction(rows))
        console.print(_explained(words.RECONSTRUCTION))
    if result.get("gradient_inversion"):
        console.print(_inversion(result["gradient_inversion"]))
        console.print(_explained(words.INVERSION))
    if rows := result.get("tradeoff"):
        cells = verdict_tradeoff.table(rows)
        console.print(_cells(cells, verdict_tradeoff.title(rows), first="left"))
        console.print(Text(f"  {verdict_tradeoff.told(rows)}", style="dim"))
    if privacy := result.get("privacy"):
        console.print(_privacy(privacy, verdict_privacy.uploads(result)))
        console.print(_explained((verdict_privacy.term(privacy),)))
    if audited := result.get("privacy_audit"):
        console.print(_cells(verdict_bounds.rows(audited), "Lower bounds on epsilon"))
        console.print(Text(f"  {verdict_bounds.told(audited)}", style="dim"))
    if facts.budgets:
        console.print(_cells(facts.budgets, "Noise on the uploads"))
        console.print(Text(f"  {facts.budgets_claim}", style="dim"))
    checks = verdict_rows.checks(result)
    if _shown_checks(checks):
        console.print(_null_checks(checks))
        console.print(_explained((words.NULL_CHECK, words.FINDS, words.PLANTED)))
    said = verdict.of(result)
    console.print(Text(f"\nVerdict: {verdict.badge(said['level'])}", style="bold"))
    sentences = Table.grid(padding=(0, 1))
    for sentence in [*said["sentences"], *facts.notes]:
        # Text, not markup: names come from users.
        sentences.add_row(" -", Text(sentence))
    console.print(sentences)


def _explained(terms: Sequence[tuple[str, str]]) -> Table:
    """What the terms of the table above mean."""
    lines = Table.grid(padding=(0, 1))
    for term, meaning in terms:
        lines.add_row(" ", Text(f"{term}: {meaning}.", style="dim"))
    return lines


def _table(title: str, columns: tuple[str, ...]) -> Table:
    table = Table(
        title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold"
    )
    table.add_column("attack", ratio=None, overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _name(row: dict, keys: Sequence[str]) -> Text:
    left_out = row.get("untrained_seeds")
    more = f", mean without {left_out} not trained" if left_out else ""
    if row.get("learned") is False and row.get("trained"):
        more += ", no better than its start"
    second = (f"\n{variant(row, keys)}{more}", "dim")
    return Text.assemble(card(row["attack"]).title, second)


def _stacked(interval: dict, show) -> Text:
    """A value above its interval."""
    if interval["value"] is None:
        return Text(text.MISSING)
    ends = f"\n{show(interval['low'])}-{show(interval['high'])}"
    return Text.assemble(show(interval["value"]), (ends, "dim"))


def _membership(rows: list[dict]) -> Table:
    """Each row, or with several seeds each mean over them, above its interval."""
    fprs = verdict_exposure.shown_fprs(rows)
    rates = tuple(f"TPR % at\n{text.rate(fpr)} FPR" for fpr in fprs)
    shown, over = text.shown_rows(rows), text.averaged_over(rows)
    title = "Membership inference" + (f", means over {over}" if over else "")
    table = _table(title, (*rates, "AUC", "accuracy %"))
    keys = distinguishing(shown)
    for row in shown:
        if row.get("trained") is False:
            missing = [text.MISSING] * (1 + len(fprs))
            table.add_row(_name(row, keys), Text("not trained"), *missing)
            continue
        table.add_row(
            _name(row, keys),
            *(_mean(text.at_fpr(row, fpr), text.percent) for fpr in fprs),
            _mean(row["auc"], text.number),
            _mean(row["accuracy"], text.percent),
        )
    return table


def _three_way(rows: list[dict]) -> Table:
    """How often each attack says rightly which of the kinds a record is."""
    shown = three_way.summarise(rows)
    keys = distinguishing(shown)
    several = any("seeds" in row for row in shown)
    title = "Which kind a record is" + (", means over seeds" if several else "")
    columns = ("right %", *(f"right % of\n{kind}" for kind in shown[0]["kinds"]))
    table = _table(title, columns)
    for row in shown:
        recalls = map(text.percent, three_way.recall(row))
        table.add_row(_name(row, keys), _mean(row["accuracy"], text.percent), *recalls)
    return table


def _footnote(rows: list[dict]) -> str:
    confidence = text.rate(rows[0].get("confidence", 0.95))
    note = f"  Below each value: its {confidence} interval."
    if text.means_named(rows):
        note = f"  {text.means_named(rows)}\n  Below each mean: its 95 % interval."
    shown = [r for r in text.shown_rows(rows) if r.get("trained") is not False]
    if any("auc_simultaneous" in row for row in rows):
        note += "\n  The verdict goes by wider ones that hold for all attacks together."
    if any(row.get("trained") is False for row in rows):
        note += (
            "\n  Not trained: the attack learned nothing, so its numbers say nothing."
        )
    if any(row.get("learned") is False for row in shown):
        note += (
            "\n  No better than its start: on the selection records the trained network"
            "\n  did not beat its start; of an anchored attack these are the scores of"
            "\n  the simple rule that it starts from."
        )
    missing = any(
        text.at_fpr(row, fpr)["value"] is None
        for row in shown
        for fpr in verdict_exposure.shown_fprs(rows)
    )
    if missing:
        note += f"\n  {text.MISSING}: too few non-members to resolve this FPR."
    return note


def _reconstruction(rows: list[dict]) -> Table:
    columns = ("class", "hit rate %", "Frechet", "nearest\nprivate", "nearest\npublic")
    table = _table("Reconstruction", (*columns, "diver-\nsity"))
    for row in rows:
        names = ("frechet", "nearest_private", "nearest_public", "diversity")
        table.add_row(
            Text(card(row["attack"]).title),
            str(row["target_class"]),
            _stacked(row["hit_rate"], text.percent),
            *(text.significant(row[name]) for name in names),
        )
    return table


def _means(rows: list[dict]) -> Table:
    """Each attack's mean over its rows above the 95 % interval of that mean."""
    columns = ("rows", "hit rate %", "Frechet", "nearest\nprivate", "nearest\npublic")
    table = _table("Reconstruction, means over rows", (*columns, "diver-\nsity"))
    for mean in reconstruction_lib.summarise(rows):
        names = ("nearest_private", "nearest_public", "diversity")
        table.add_row(
            Text(card(mean["attack"]).title),
            str(mean["rows"]),
            _mean(mean["hit_rate"], text.percent),
            _mean(mean["frechet"], text.significant),
            *(text.significant(mean[name]["value"]) for name in names),
        )
    return table


def _inversion(rows: list[dict]) -> Table:
    """What was reconstructed from updates, below it what needs none."""
    columns = ("found %", "PSNR dB", "SSIM", "gain dB", "labels %")
    binary = any(row["right_bits"] for row in rows)
    table = _table("Gradient inversion", (*columns, *["bits %"] * binary))
    for row in sorted(rows, key=lambda row: row["gain"] is None):
        second = (f"\n{verdict_inversion.case(row)}", "dim")
        shown = [
            (row["found"], text.percent),
            (row["psnr"], _one_digit),
            (row["ssim"], text.number),
            (row["gain"], _one_digit),
            (row["right_labels"], text.percent),
            *[(row["right_bits"], text.percent)] * binary,
        ]
        table.add_row(
            Text.assemble(card(row["attack"]).title, second),
            *(_mean(of, show) if of else Text(text.MISSING) for of, show in shown),
        )
    return table


def _one_digit(value: float | None) -> str:
    return text.number(value, 1)


def _mean(mean: dict, show) -> Text:
    """A mean above its interval, which that of a single row lacks."""
    return Text(show(mean["value"])) if mean["low"] is None else _stacked(mean, show)


def _privacy(privacy: dict[str, Any], logged: dict) -> Table:
    """The budget where it bounds anything, and what was logged of the uploads."""
    table = Table(
        title="Noise on the uploads",
        box=box.SIMPLE_HEAD,
        title_justify="left",
        title_style="bold",
        show_header=False,
    )
    table.add_column("what")
    table.add_column("value", justify="right", no_wrap=True)
    uploaded = f"{privacy['uploaded']:,} of {privacy['parameters']:,}"
    table.add_row(
        "epsilon per parameter", text.epsilon(privacy["epsilon_per_parameter"])
    )
    table.add_row("parameters uploaded, at most", uploaded)
    table.add_row("epochs", f"{privacy['uploads']:,}")
    if verdict_privacy.guarantees(privacy):
        each, total = privacy["epsilon_per_upload"], privacy["epsilon_total"]
        table.add_row("epsilon per epoch and participant", text.epsilon(each))
        table.add_row("total epsilon, basic composition", text.epsilon(total))
    else:
        table.add_row("guarantee", "none")
    for what, name, show in (
        ("% of an update beyond gamma, first and last round", "clipped", text.percent),
        ("cosine of update and upload, first and last round", "cosine", _two_digits),
    ):
        if name in logged:
            table.add_row(what, f"{show(logged[name][0])}, {show(logged[name][-1])}")
    return table


def _two_digits(value: float) -> str:
    return text.number(value, 2)


def _cells(rows: list[dict[str, str]], title: str, first: str = "right") -> Table:
    """Rows of title -> cell, the first column justified so and the others right."""
    table = Table(
        title=title,
        box=box.SIMPLE_HEAD,
        title_justify="left",
        title_style="bold",
    )
    for number, title in enumerate(rows[0]):
        table.add_column(title, justify="right" if number else first)
    for row in rows:
        table.add_row(*row.values())
    return table


def _shown_checks(rows: list[dict]) -> list[dict]:
    """Returns the null checks to list: of many, those that fail; the verdict counts."""
    if not text.is_long(rows):
        return rows
    return [
        row for row in rows if verdict_rows.check_word(row) in verdict_rows.BAD_CHECKS
    ]


def _null_checks(checks: list[dict]) -> Table:
    title = "Null checks and positive controls"
    table = _table(title, ("AUC", "finds\nfrom AUC", "result"))
    keys = distinguishing(checks)
    for row in _shown_checks(checks):
        word = verdict_rows.check_word(row)
        style = "bold red" if word in verdict_rows.BAD_CHECKS else ""
        result = Text(word.upper() if style else word, style=style)
        auc = Text(text.number_interval(row["auc"]))
        least = text.number(row.get("detectable_auc"), 2)
        table.add_row(_name(row, keys), auc, least, result)
    return table
