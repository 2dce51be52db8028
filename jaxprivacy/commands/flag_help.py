"""What `--help` says of the settings, and in which groups it says it."""

from __future__ import annotations

HELP = {
    "data": "Data set: digits, att_faces, tfds:NAME or npz:PATH. An npz file holds x "
    "and y, or x_train, y_train, x_test and y_test.",
    "records": "How many records are used, drawn at random class by class. Absent: "
    "all; an audit takes at most 4000 of images larger than 16 pixels.",
    "model": "Model: mlp, or cnn (paper A's network for the image size); an audit also "
    "takes alexnet for 32 x 32 images. Absent: cnn for images, mlp for tables.",
    "mlp_widths": "Widths of the mlp's hidden layers.",
    "participants": "How many participants federated training has.",
    "members_per_participant": "How many records a participant trains on. Absent: "
    "records / (participants + 4).",
    "partition": "How records are dealt to participants: iid, by_class or dirichlet. "
    "The GAN attack always deals them by class.",
    "dirichlet_alpha": "Concentration of --partition=dirichlet.",
    "victim": "Which participant's members are attacked, counted from 0.",
    "others_non_members": "Whether records of the other participants are among the "
    "victim's non-members, of each as many as of nobody's.",
    "setting": "How the target is trained: federated, or standalone, by one party, "
    "with reference models beside it.",
    "attacks": "Names of attacks, or all. Absent: all that the setting has; of a "
    "federated one all but those of a server that keeps every upload.",
    "references": "How many models are trained like a stand-alone target, each on half "
    "of the records; 0: none.",
    "targets_in_pool": "How many of the trained models are attacked in turn, with the "
    "others for references.",
    "attack_train_fraction": "Share of the victim's records that the attacker knows.",
    "selection_fraction": "Share of the known records on which the attack's epoch is "
    "selected.",
    "rounds": "How many rounds the training takes.",
    "local_epochs": "How many epochs each participant trains in a round.",
    "batch_size": "How many records a batch of local training has.",
    "learning_rate": "Learning rate of local SGD.",
    "momentum": "Momentum of local SGD, kept from round to round.",
    "round_decay": "What the learning rate is multiplied by after each round of "
    "federated training.",
    "learning_rate_decay": "Decay d of the learning rate: that of step t is "
    "learning_rate / (1 + d t).",
    "held_fraction": "Share of the records that the participants hold together; the "
    "independent judge learns from the rest.",
    "adversary_data": "Whether the adversary holds records of its own.",
    "order": "In which order participants take their turns: round_robin, random, or "
    "asynchronous (all train at once, on parameters as old as their own last upload; "
    "uploads come in at random).",
    "upload_fraction": "Share of the parameters that a participant uploads (theta_u).",
    "download_fraction": "Share of the parameters that a participant downloads, the "
    "most updated first (theta_d).",
    "upload_rule": "Which parameters are uploaded: the largest, or random ones among "
    "those above --threshold.",
    "threshold": "Threshold of a random or private upload (tau).",
    "gradient_bound": "Bound to which uploads are clipped on either side of 0 (gamma). "
    "Absent: they are not clipped; 0.001 under privacy.",
    "epsilon_per_parameter": "Noise on the uploads by the sparse-vector technique: "
    "epsilon of each uploaded parameter and round; inf: none. Absent: another rule "
    "(--upload_rule).",
    "clip_first": "Whether updates are clipped to --gradient_bound before the noise, "
    "so that uploads are differentially private. Without it the release is the "
    "paper's, which guarantees nothing.",
    "influence": "Whether the adversary injects its samples as an artificial class.",
    "start_round": "How many rounds of honest training come before the attack.",
    "start_accuracy": "The attack waits until the shared model reaches this accuracy "
    "on the adversary's records.",
    "generator_optimizer": "Optimizer of the attacker's generator: sgd or adam.",
    "mode_seeking": "Weight of the mode-seeking term in the row gan_improved.",
    "compare": "What is run beside the attack.",
    "dcgan_steps": "How many steps the DCGAN on the victim's images takes at most; it "
    "ends where it no longer improves.",
    "observed_rounds": "How many rounds, evenly spaced, the server keeps the victim's "
    "parameters of.",
    "preset": "Attack network: anchored, table-xiv, authors-2019 or "
    "ml-privacy-meter-0.1.",
    "gradient_kernels": "How many kernels the attack network has over each layer's "
    "gradient. Table XIV has 1000, which take a hundred times the work.",
    "ascent_rate": "Rate of the active server's gradient ascent.",
    "target_class": "Which class the GAN attacker reconstructs.",
    "gan_rounds": "How many rounds collaborative training under the GAN attack takes.",
    "generator_learning_rate": "Learning rate of the attacker's generator.",
    "generator_steps": "How many steps the generator takes in a round.",
    "generator_batch": "How many samples a step of the generator has.",
    "injected": "How many generated samples the attacker adds to its data in a round.",
    "seed": "Seed of every random choice.",
}

# Of the white-box study, where more than one value may be given or others are accepted.
WHITEBOX = HELP | {
    "records": "How many records are used, drawn at random class by class. Absent: "
    "all.",
    "model": "Model: mlp, cnn (paper A's network for the image size), or for 32 x 32 "
    "images alexnet, resnet or densenet. Absent: cnn for images, mlp for tables.",
    "depth": "Depth of a resnet or densenet.",
    "growth_rate": "Growth rate of a densenet.",
    "block": "Block of a resnet: basic or bottleneck. Absent: basic below depth 44, "
    "bottleneck from there on, as in the first version of the public models.",
    "import_target": "A target that is not trained: a folder of --export_target, or a "
    "PyTorch file (.pth, .pt, .pth.tar) in the layout of the public CIFAR models, "
    "trained on the first --members_per_participant records.",
    "export_target": "New folder for the trained target.",
    "normalisation": "Normalisation: group, which does not mix examples, or batch, in "
    "evaluation mode, for imported weights.",
    "setting": "How the target is trained: standalone, finetune or federated.",
    "attacker": "Who attacks: global (the server), local (a participant), or both with "
    "a comma.",
    "mode": "What the attacker does: passive, gradient_ascent, isolating, "
    "isolating_gradient_ascent, or several with commas; a local attacker isolates "
    "nobody.",
    "supervision": "What the attack learns from: supervised, unsupervised, shadow, or "
    "several with commas.",
    "participants": "How many participants federated training has; several numbers: a "
    "run each.",
    "victims": "Which participants a global attacker attacks: first, or all (each in "
    "turn, averaged).",
    "members_per_participant": "How many records a participant trains on; stand-alone, "
    "the target. Absent: records / (2 participants).",
    "rounds": "How many rounds the training takes; stand-alone: epochs, where "
    "--local_epochs is 1.",
    "optimizer": "Optimizer of local training: sgd or adam.",
    "learning_rate": "Learning rate of local training.",
    "learning_rate_drops": "Rounds after which the learning rate is divided by ten.",
    "weight_decay": "L2 regularisation: this times the parameters is added to the "
    "gradient.",
    "fine_tuning_fraction": "Share of the target's records that fine-tuning takes.",
    "fine_tuning_rounds": "How many rounds fine-tuning takes, after --rounds on the "
    "base records.",
    "layers": "Layers whose outputs the attack sees: all, none, names, or numbers from "
    "the end (-1: the class probabilities, and with them loss and label), with commas. "
    "Given several times: one attack each, paired with --gradients.",
    "gradients": "Layers whose gradients the attack sees, likewise.",
    "loss_and_label": "Whether every attack sees the loss and the label, and not "
    "those alone that see the last layer's output.",
    "black_box": "Whether the black-box attack is run beside the others.",
    "observed_rounds": "How many rounds the attacker keeps, evenly spaced up to the "
    "last, or which, with commas (one alone: 30,). Given several times: one attack "
    "each.",
    "attack_members": "How many members the attack learns from; several numbers: an "
    "attack each. Absent: 40 % of those there are.",
    "attack_non_members": "How many non-members the attack learns from, paired with "
    "--attack_members.",
    "evaluation_records": "How many members, and as many non-members, the attacks are "
    "measured on. Absent: 45 % of those there are.",
    "preset": "Attack network: anchored (begins as the best simple rule on what it "
    "sees), table-xiv (the paper's), authors-2019 or ml-privacy-meter-0.1.",
    "gradient_kernels": "How many kernels the attack network has over each layer's "
    "gradient. Absent: the preset's, and 10 in place of Table XIV's 1000, which "
    "take a hundred times the work.",
    "attack_learning_rate": "Learning rate of the attack network. Absent: the "
    "preset's.",
    "attack_epochs": "Most epochs of the attack network. Absent: the preset's, or as "
    "many as 1,000 steps take, if that is more.",
    "null_checks": "Whether each attack is repeated among non-members alone, and once "
    "for each draw of records on a model that was not trained.",
    "ascent_rate": "Rate of an active attacker's gradient ascent; of several, the one "
    "with the best attack on the selection records is reported.",
    "shadows": "How many shadow models --supervision=shadow trains.",
    "feature_batch": "How many records' features are computed at once.",
    "feature_memory": "GiB that the features of all records may take; if they would "
    "take more, they are computed batch by batch.",
    "seeds": "How many seeds are run, from --seed on.",
}

# Of the audit of a privacy claim.
PRIVACY = HELP | {
    "records": "How many records are used, drawn at random class by class. Absent: "
    "all.",
    "model": "Model: mlp, or cnn (paper A's network for the image size), which takes "
    "ten times as long.",
    "canaries": "How many canaries there are, records with a wrong label, each of "
    "which is trained on with probability 1/2.",
    "epochs": "How often a record is in a batch, on average.",
    "batch_size": "How many records a batch has, on average.",
    "learning_rate": "Learning rate of DP-SGD.",
    "noise_multiplier": "Standard deviation of the noise on the summed gradients, in "
    "units of --max_norm; 0: none.",
    "max_norm": "Norm to which each record's gradient is clipped; inf: not clipped.",
    "sampling": "How batches are drawn: poisson, each record apart from the others, "
    "or shuffled, of which nothing is claimed.",
    "delta": "Delta of the claim and of the bounds.",
    "confidence": "Confidence with which all bounds hold together.",
}

# Of gradient inversion, where several values may be given or others are accepted.
INVERSION = HELP | {
    "records": "How many batches of records are reconstructed, each from an update of "
    "its own.",
    "model": "Model: mlp, cnn (paper A's network for the image size) or lenet (smooth, "
    "without pooling). Absent: lenet for images, mlp for tables.",
    "activation": "Activation of the mlp: sigmoid, tanh or relu.",
    "epochs": "How many epochs the model was trained on other records before the "
    "update; 0: it is as it was drawn.",
    "attack": "Attacks, with commas: invert_gradients, dlg, dense (reads an mlp's "
    "first layer) or trap (a malicious server's layer before the model).",
    "batch_size": "How many records an update is of; several numbers: a row each.",
    "local_steps": "How many local steps an update is of, each on all of its records; "
    "several numbers: a row each.",
    "learning_rate": "Learning rate of the local steps, and of the training before.",
    "restarts": "How many starts a search has, and guesses the best public record.",
    "iterations": "How many steps a search takes. Absent: 1000, of dlg 200.",
    "total_variation": "Weight of the total variation in invert_gradients.",
    "bins": "How many bins the trap has.",
}

# Every flag of the commands stands in one group, and is told in this order.
GROUPS = {
    "data": "target params data records held_fraction adversary_data dataset "
    "manual_dir data_dir",
    "training": "model mlp_widths activation depth growth_rate block normalisation "
    "import_target export_target targets setting rounds local_epochs epochs "
    "local_steps batch_size optimizer noise_multiplier max_norm sampling "
    "learning_rate learning_rate_decay round_decay learning_rate_drops momentum "
    "weight_decay fine_tuning_fraction fine_tuning_rounds seed seeds",
    "federation": "participants members_per_participant partition dirichlet_alpha "
    "order upload_fraction download_fraction upload_rule threshold gradient_bound "
    "epsilon_per_parameter clip_first",
    "attacks": "grid attack restarts iterations total_variation bins attacks canaries "
    "delta confidence references targets_in_pool attacker mode victim victims "
    "others_non_members supervision shadows layers gradients loss_and_label "
    "black_box observed_rounds attack_members attack_non_members "
    "attack_train_fraction selection_fraction evaluation_records preset "
    "gradient_kernels attack_learning_rate attack_epochs null_checks ascent_rate "
    "feature_batch feature_memory target_class influence start_round start_accuracy "
    "gan_rounds generator_optimizer generator_learning_rate generator_steps "
    "generator_batch injected mode_seeking compare dcgan_steps",
    "report": "out overwrite checkpoint compilation_cache devices memory",
}
