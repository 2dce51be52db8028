"""What `--help` says of the settings."""

from __future__ import annotations

HELP = {
    "data": "digits | att_faces | tfds:NAME | npz:PATH. An npz file holds x and y, or "
    "x_train, y_train, x_test and y_test.",
    "records": "Use so many records, drawn at random class by class. Absent: all; "
    "launch.audit takes at most 4000 of images larger than 16 pixels.",
    "model": "mlp | cnn (paper A's network for the image size). Absent: cnn for "
    "images, mlp for tables.",
    "mlp_widths": "Widths of the mlp's hidden layers.",
    "participants": "Participants of federated training.",
    "members_per_participant": "Records a participant trains on. Absent: records / "
    "(participants + 4).",
    "partition": "iid | by_class | dirichlet: how records are dealt to participants. "
    "The GAN attack always deals them by class.",
    "dirichlet_alpha": "Concentration of --partition=dirichlet.",
    "victim": "The participant whose members are attacked, from 0.",
    "attack_train_fraction": "Share of the victim's records that the attacker knows.",
    "selection_fraction": "Share of them on which the attack's epoch is selected.",
    "rounds": "Rounds of training.",
    "local_epochs": "Epochs each participant trains in a round.",
    "batch_size": "Records in a batch of local training.",
    "learning_rate": "Of local SGD.",
    "momentum": "Of local SGD, kept from round to round.",
    "learning_rate_decay": "d: the rate of step t is learning_rate / (1 + d t).",
    "held_fraction": "Share of the records that the participants hold together; the "
    "independent judge learns from the rest.",
    "adversary_data": "Whether the adversary holds records of its own.",
    "order": "round_robin | random: in which order participants take their turns.",
    "upload_fraction": "theta_u: share of the parameters that a participant uploads.",
    "download_fraction": "theta_d: share that it downloads, the most updated first.",
    "upload_rule": "largest | random: which parameters are uploaded; random takes them "
    "among those above --threshold.",
    "threshold": "tau: of a random or private upload.",
    "gradient_bound": "gamma: uploads are clipped to [-gamma, gamma]. Absent: they are "
    "not; 0.001 under privacy.",
    "epsilon_per_parameter": "Differential privacy: epsilon of each uploaded parameter "
    "and round, released by the sparse-vector technique. Absent: no privacy.",
    "clip_first": "Clip updates before the noise too; without it, as in the paper, "
    "the guarantee holds only for updates that gamma does not clip.",
    "influence": "Whether the adversary injects its samples as an artificial class.",
    "start_round": "Rounds of honest training before the attack.",
    "start_accuracy": "The attack waits until the shared model reaches this accuracy "
    "on the adversary's records.",
    "generator_optimizer": "sgd | adam.",
    "mode_seeking": "Weight of the mode-seeking term in the row gan_improved.",
    "compare": "What is run beside the attack.",
    "dcgan_steps": "Steps of the DCGAN on the victim's images.",
    "observed_rounds": "Rounds, evenly spaced, at which the server keeps the victim's "
    "parameters.",
    "preset": "Attack network: anchored | table-xiv | authors-2019 | "
    "ml-privacy-meter-0.1.",
    "gradient_kernels": "Kernels over each layer's gradient in the attack network. "
    "Table XIV has 1000, for which two cores are slow.",
    "ascent_rate": "Rate of the active server's gradient ascent.",
    "target_class": "The class that the GAN attacker reconstructs.",
    "gan_rounds": "Rounds of collaborative training under the GAN attack.",
    "generator_learning_rate": "Of the attacker's generator.",
    "generator_steps": "Steps of the generator in a round.",
    "generator_batch": "Samples in a step of the generator.",
    "injected": "Generated samples that the attacker adds to its data in a round.",
    "seed": "Of every random choice.",
}

# Of the white-box study, where more than one value may be given or others are accepted.
WHITEBOX = HELP | {
    "records": "Use so many records, drawn at random class by class. Absent: all.",
    "model": "mlp | cnn (paper A's network for the image size) | alexnet | resnet | "
    "densenet (these three for 32 x 32 images). Absent: cnn for images, mlp for "
    "tables.",
    "depth": "Of a resnet or densenet.",
    "growth_rate": "Of a densenet.",
    "block": "Of a resnet: basic | bottleneck. Absent: basic below depth 44, "
    "bottleneck from there on, as in the first version of the public models.",
    "import_target": "A target that is not trained: a folder of --export_target, or a "
    "PyTorch file (.pth, .pt, .pth.tar) in the layout of the public CIFAR models, "
    "trained on the first --members_per_participant records.",
    "export_target": "New folder for the trained target.",
    "normalisation": "group (does not mix examples) | batch (in evaluation mode, for "
    "imported weights).",
    "setting": "standalone | finetune | federated.",
    "attacker": "global (the server) | local (a participant), or both with a comma.",
    "mode": "passive | gradient_ascent | isolating | isolating_gradient_ascent, one or "
    "several with commas; a local attacker isolates nobody.",
    "supervision": "supervised | unsupervised | shadow, one or several with commas.",
    "participants": "Participants of federated training; several numbers: a run each.",
    "victims": "Which participants a global attacker attacks: first, or all (each in "
    "turn, averaged).",
    "members_per_participant": "Records a participant trains on; stand-alone, the "
    "target. Absent: records / (2 participants).",
    "rounds": "Rounds of training; stand-alone: epochs, where --local_epochs is 1.",
    "optimizer": "sgd | adam.",
    "learning_rate": "Of local training.",
    "learning_rate_drops": "Rounds after which the learning rate is divided by ten.",
    "weight_decay": "L2 regularisation: this times the parameters is added to the "
    "gradient.",
    "fine_tuning_fraction": "Share of the target's records that fine-tuning takes.",
    "fine_tuning_rounds": "Rounds of fine-tuning, after --rounds on the base records.",
    "layers": "Layers whose outputs the attack sees: all | none | names, or numbers "
    "from the end (-1: the class probabilities, and with them loss and label), with "
    "commas. Given several times: one attack each, paired with --gradients.",
    "gradients": "Layers whose gradients it sees, likewise.",
    "loss_and_label": "Whether every attack sees the loss and the label, and not "
    "those alone that see the last layer's output.",
    "black_box": "Whether the black-box attack is run beside the others.",
    "observed_rounds": "How many rounds the attacker keeps, evenly spaced up to the "
    "last, or which, with commas (one alone: 30,). Given several times: one attack "
    "each.",
    "attack_members": "Members that the attack learns from; several numbers: an attack "
    "each. Absent: 40 % of those there are.",
    "attack_non_members": "Non-members that it learns from, paired with "
    "--attack_members.",
    "evaluation_records": "Members, and as many non-members, that the attacks are "
    "measured on. Absent: 45 % of those there are.",
    "preset": "Attack network: anchored (begins as the best simple rule on what it "
    "sees) | table-xiv (the paper's) | authors-2019 | ml-privacy-meter-0.1.",
    "gradient_kernels": "Kernels over each layer's gradient in the attack network. "
    "Absent: the preset's, and 10 in place of Table XIV's 1000, which take a hundred "
    "times the work.",
    "attack_learning_rate": "Of the attack network. Absent: the preset's.",
    "attack_epochs": "Most epochs of the attack network. Absent: the preset's, or as "
    "many as 1,000 steps take, if that is more.",
    "null_checks": "Whether each attack is repeated among non-members alone, and once "
    "for each draw of records on a model that was not trained.",
    "ascent_rate": "Rate of an active attacker's gradient ascent; of several, the one "
    "with the best attack on the selection records is reported.",
    "shadows": "Shadow models of --supervision=shadow.",
    "feature_batch": "Records whose features are computed at once.",
    "feature_memory": "GiB that the features of all records may take; if they would "
    "take more, they are computed batch by batch.",
    "seeds": "How many seeds are run, from --seed on.",
}
