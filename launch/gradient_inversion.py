"""The command `jaxprivacy gradient-inversion`, from a checkout.

python -m launch.gradient_inversion --attack=invert_gradients --batch_size=1,4
"""

from jaxprivacy.commands import common
from jaxprivacy.commands.gradient_inversion import main

if __name__ == "__main__":
    common.run(main)
