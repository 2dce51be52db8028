"""The command `jaxprivacy audit`, from a checkout."""

from jaxprivacy.commands import common
from jaxprivacy.commands.audit import main

if __name__ == "__main__":
    common.run(main)
