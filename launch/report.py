"""The command `jaxprivacy report`, from a checkout."""

from jaxprivacy.commands import common
from jaxprivacy.commands.report import main

if __name__ == "__main__":
    common.run(main)
