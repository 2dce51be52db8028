"""The command `jaxprivacy sweep`, from a checkout."""

from jaxprivacy.commands import common
from jaxprivacy.commands.sweep import main

if __name__ == "__main__":
    common.run(main)
