"""The commands of the shell: flags to experiment to report."""

COMMANDS = {  # `jaxprivacy NAME` runs the module of that name.
    "audit": "Audits a training, or a trained model of your own.",
    "audit-privacy": "Bounds epsilon from below, beside what is claimed.",
    "whitebox": "Plays paper B's white-box membership inference.",
    "gan-attack": "Plays paper A's GAN attack in collaborative training.",
    "gradient-inversion": "Reconstructs records from the update they gave.",
    "tradeoff": "Shows what defenses protect, and what they cost.",
    "sweep": "Runs the GAN attack over a grid, as one compiled program.",
    "prepare": "Prepares a public data set from its downloaded files.",
    "report": "Prints a report again, and makes its page anew.",
}
