"""The command `jaxprivacy audit-privacy`, from a checkout."""

from jaxprivacy.commands import common
from jaxprivacy.commands.audit_privacy import main

if __name__ == "__main__":
    common.run(main)
