"""The command `jaxprivacy prepare`, from a checkout."""

from jaxprivacy.commands import common
from jaxprivacy.commands.prepare import main

if __name__ == "__main__":
    common.run(main)
