"""`--help` in groups, each flag a sentence, in 80 columns; `--version`."""

import dataclasses
import re
import textwrap

import pytest
from absl import flags

import jaxprivacy
from jaxprivacy.commands import flag_help, help_page
from jaxprivacy.studies import parts
from tests.launch import launched

SCRIPTS = (
    "audit",
    "audit_privacy",
    "gan_attack",
    "gradient_inversion",
    "sweep",
    "tradeoff",
    "whitebox",
    "prepare",
)

COMMANDS = {
    "Settings": "audit",
    "GanSettings": "gan_attack",
    "WhiteboxSettings": "whitebox",
    "PrivacySettings": "audit_privacy",
    "InversionSettings": "gradient_inversion",
    "TradeoffSettings": "tradeoff",
}


def grouped(own):
    return [name for names in flag_help.groups(own).values() for name in names]


@pytest.fixture(params=SCRIPTS)
def script(request):
    """A script's module and its flags, by name."""
    module = launched.script(request.param)
    return module, {flag.name: flag for flag in launched.flags_of(request.param)}


def test_every_flag_stands_in_one_group(script):
    _, own = script
    assert sorted(grouped(own)) == sorted(own) and len(own) > 2


def test_every_text_is_a_sentence(script):
    _, own = script
    for flag in own.values():
        text = flag.help.partition(";\n")[0]
        assert re.fullmatch(r"[A-Z].*\.", text), (flag.name, text)
        assert " | " not in text, flag.name


def test_the_page_tells_of_each_flag_in_its_group_in_80_columns(script):
    module, own = script
    lines = help_page.page(module.__doc__, list(own.values())).splitlines()
    assert max(map(len, lines)) <= 80
    heads = [line for line in lines if re.fullmatch(r"[A-Z][a-z]+:", line)]
    groups = [f"{group.capitalize()}:" for group in parts.GROUPS]
    assert heads == [group for group in groups if group in heads]
    told = [re.match(r"  --(?:\[no\])?(\w+): [A-Z]", line) for line in lines]
    names = [found[1] for found in told if found]
    assert names == grouped(own)


def test_a_default_is_told_as_it_is_given():
    values = flags.FlagValues()
    flags.DEFINE_multi_string("grid", ["a=1,2", "b=3"], "A grid.", flag_values=values)
    flags.DEFINE_list("mlp_widths", ["4", "2"], "Widths.", flag_values=values)
    flags.DEFINE_bool("unheard_of", True, "Whether so.", flag_values=values)
    flags.DEFINE_float("memory", None, "GiB.", flag_values=values)
    page = help_page.page("Does.", [values[name] for name in values])
    assert textwrap.dedent(page).startswith(
        "Does.\n\n"
        "Training:\n  --mlp_widths: Widths. Default: 4,2.\n\n"
        "Attacks:\n  --grid: A grid. Default: a=1,2 b=3.\n\n"
        "Report:\n  --memory: GiB.\n\n"
        "Others:\n  --[no]unheard_of: Whether so. Default: true.\n\n"
    )


def test_version(capsys):
    assert launched.run("audit", "--version") == 0
    assert capsys.readouterr().out == f"jaxprivacy {jaxprivacy.__version__}\n"


@pytest.mark.parametrize("study", flag_help.STUDIES)
def test_a_setting_s_help_names_others_by_their_flags(study):
    helps = [field.metadata["help"] for field in dataclasses.fields(study)]
    others = {name for text in helps for name in re.findall("`(.*?)`", text)}
    assert others <= set(study.__dataclass_fields__)
    own = {flag.name: flag.help for flag in launched.flags_of(COMMANDS[study.__name__])}
    told = [own[name] for name in study.__dataclass_fields__]
    assert not [text for text in told if "`" in text]
    assert all(any(f"--{name}" in text for text in told) for name in others)
