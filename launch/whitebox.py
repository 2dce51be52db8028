"""The command `jaxprivacy whitebox`, from a checkout.

python -m launch.whitebox --flagfile=launch/presets/paper_b/retail_table_v.flags
"""

from jaxprivacy.commands import common
from jaxprivacy.commands.whitebox import main

if __name__ == "__main__":
    common.run(main)
