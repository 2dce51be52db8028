"""Attack networks as small as they come, which compile and train in moments."""

import dataclasses

from jaxprivacy.models import attack_presets


def small(**changes):
    """The preset of paper B with layers of a few units, but for these of its fields."""
    sizes = {
        "gradient_kernels": 2,
        "gradient_widths": (4,),
        "output_widths": (4,),
        "label_widths": (2,),
        "loss_widths": (4,),
        "encoder_widths": (4,),
        "decoder_widths": (4,),
        "init_std": 0.3,
    }
    return dataclasses.replace(attack_presets.TABLE_XIV, **sizes | changes)
