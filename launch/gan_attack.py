"""The command `jaxprivacy gan-attack`, from a checkout.

python -m launch.gan_attack --flagfile=launch/presets/att_two_participants.flags
"""

from jaxprivacy.commands import common
from jaxprivacy.commands.gan_attack import main

if __name__ == "__main__":
    common.run(main)
