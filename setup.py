"""Packaging of jaxprivacy; the import name is `jaxprivacy`."""

import pathlib

import setuptools

HERE = pathlib.Path(__file__).parent


def requirements() -> list[str]:
    lines = (HERE / "requirements.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


setuptools.setup(
    # DeepMind's `jax-privacy` trains with differential privacy; this one attacks.
    name="jaxprivacy-attacks",
    version="0.1.0",
    description="Measure what deep learning on private data gives away: membership "
    "inference and reconstruction attacks on federated training, in JAX.",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    # `launch`, `tests` and `benchmarks` are run from a checkout: as top-level
    # packages they would collide with those of other distributions.
    packages=setuptools.find_packages(include=["jaxprivacy", "jaxprivacy.*"]),
    package_data={"jaxprivacy.report": ["*.html"]},
    entry_points={"console_scripts": ["jaxprivacy = jaxprivacy.commands.console:main"]},
    install_requires=requirements(),
    extras_require={
        "test": ["pytest>=8", "pytest-xdist>=3.6", "ruff>=0.6"],
        "bench": ["torch>=2.4", "opacus>=1.5"],
        "torch": ["torch>=2.6"],
        "cuda": ["jax[cuda12]>=0.10,<0.13"],
    },
)
