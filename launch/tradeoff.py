"""The command `jaxprivacy tradeoff`, from a checkout.

python -m launch.tradeoff --data=npz:FILE --defenses=none,dp_sgd:8,mixup:1
"""

from jaxprivacy.commands import common
from jaxprivacy.commands.tradeoff import main

if __name__ == "__main__":
    common.run(main)
