"""The cards of membership attacks."""

from jaxprivacy.cards.card import Card

MEMBERSHIP = (
    Card(
        "loss_threshold",
        "Loss threshold",
        "The attacker sees the loss of a record under the model as it was when last "
        "observed, and nothing else of the model. It takes a record with a low loss "
        "for a member; only one threshold is learned.",
        sees=("loss",),
        source="Yeom et al., CSF 2018, section 3",
    ),
    Card(
        "confidence",
        "Confidence",
        "The attacker sees how sure the model, as it was when last observed, is of a "
        "record's own class, as log-odds, and nothing else of the model. It takes a "
        "record of which the model is sure for a member; nothing is learned but one "
        "threshold.",
        sees=("outputs",),
        source="Yeom et al., CSF 2018, section 3, on the log-odds",
    ),
    Card(
        "entropy",
        "Entropy",
        "The attacker sees the class probabilities that the model, as it was when last"
        " observed, gives a record. It takes a record for which they are concentrated "
        "on one class, right or wrong, for a member; nothing is learned but one "
        "threshold.",
        sees=("outputs",),
        source="Salem et al., NDSS 2019, section V",
    ),
    Card(
        "modified_entropy",
        "Modified entropy",
        "The attacker sees the class probabilities that the model, as it was when last"
        " observed, gives a record, and knows the record's label. It takes a record of"
        " whose own class the model is sure, and of no other, for a member; nothing is"
        " learned but one threshold.",
        sees=("outputs",),
        source="Song and Mittal, USENIX Security 2021, section 3.2.2",
    ),
    Card(
        "gradient_norm",
        "Gradient norm",
        "The attacker holds the model's parameters and looks at no more than the norm "
        "of the gradient of the loss for a record, of all layers or of those named. It"
        " takes a record with a small norm for a member; only one threshold is "
        "learned.",
        sees=("gradients",),
        source="Nasr et al., S&P 2019, section IV",
    ),
    Card(
        "population",
        "Population",
        "The attacker sees the outputs of the model and has records of the same "
        "distribution on which nobody trained. It takes a record of which the model is"
        " surer than of most of those of its class for a member; no model is trained.",
        sees=("outputs",),
        needs=("population",),
        source="Ye et al., CCS 2022, attack P",
    ),
    Card(
        "quantile",
        "Quantile regression",
        "The attacker sees the outputs of the model and has records of the same "
        "distribution on which nobody trained. From these it learns by regression what"
        " the model would say of a record that it was not trained on, and takes a "
        "record of which the model is surer than that for a member; no model like the "
        "target is trained.",
        sees=("outputs",),
        needs=("population",),
        learns=True,
        source="Bertran et al., NeurIPS 2023",
    ),
    Card(
        "black_box",
        "Black-box",
        "The attacker sees the output of the model for a record, as it was each time "
        "that it was observed, and knows the record's label. It knows of some records "
        "whether they are members, and trains an attack network on them to tell the "
        "two apart.",
        sees=("outputs", "loss"),
        needs=("known",),
        learns=True,
        source="Nasr et al., S&P 2019, section III-A",
    ),
    Card(
        "white_box",
        "White-box",
        "The attacker holds the model's parameters, as they were once or several "
        "times, and so sees the outputs of every layer, the loss and the gradient of "
        "the loss for a record, or those of them that a row or a note names. It knows "
        "of some records whether they are members, and trains an attack network on "
        "them to tell the two apart.",
        sees=("outputs", "loss", "hidden", "gradients"),
        needs=("known",),
        learns=True,
        source="Nasr et al., S&P 2019, section III-A",
    ),
    Card(
        "unsupervised",
        "Unsupervised",
        "The attacker sees what the white-box attack sees of the records in question, "
        "but knows of none whether it is a member. It trains an autoencoder that turns"
        " each record into one number, divides these numbers into two clusters, and "
        "takes the cluster with the smaller mean gradient norm for the members.",
        sees=("outputs", "loss", "hidden", "gradients"),
        learns=True,
        source="Nasr et al., S&P 2019, section III-C",
    ),
    Card(
        "shadow",
        "Shadow models",
        "The attacker sees what the white-box attack sees, but knows of no record "
        "whether it is a member; it has records of the same distribution, some of the "
        "target's own among them where there are few. It trains models of its own on "
        "some of these, trains an attack network to tell those models' members from "
        "non-members, and applies it to the target.",
        sees=("outputs", "loss", "hidden", "gradients"),
        needs=("records",),
        learns=True,
        source="Shokri et al., S&P 2017, section V",
    ),
    Card(
        "lira_online",
        "LiRA, online",
        "The attacker sees the outputs of the model and trains reference models in the"
        " same way, half of which hold each record in question. It compares how likely"
        " the model's log-odds of a record are among those that hold it and among "
        "those that do not.",
        sees=("outputs",),
        needs=("references_with", "references_without"),
        source="Carlini et al., S&P 2022, Algorithm 1",
    ),
    Card(
        "lira_offline",
        "LiRA, offline",
        "The attacker sees the outputs of the model and trains reference models in the"
        " same way, none of which needs to hold a record in question. It takes a "
        "record of which the model is surer than models without it for a member.",
        sees=("outputs",),
        needs=("references_without",),
        source="Carlini et al., S&P 2022, section IV-E",
    ),
    Card(
        "rmia_online",
        "RMIA, online",
        "The attacker sees the outputs of the model and trains reference models in the"
        " same way, half of which hold each record in question. It compares the "
        "probability of a record under the model with its mean over all of these.",
        sees=("outputs",),
        needs=("references_with", "references_without"),
        source="Zarifzadeh et al., ICML 2024, section 3",
    ),
    Card(
        "rmia_offline",
        "RMIA, offline",
        "The attacker sees the outputs of the model and trains reference models in the"
        " same way, none of which needs to hold a record in question. It compares the "
        "probability of a record under the model with its mean over these, corrected "
        "for their never having held it.",
        sees=("outputs",),
        needs=("references_without",),
        source="Zarifzadeh et al., ICML 2024, section 3",
    ),
    Card(
        "bavaria",
        "LiRA with a shrunk variance",
        "The attacker does what LiRA does online. Where few reference models tell how "
        "far the log-odds of a record vary, those of all records help, by a prior that"
        " is fitted on them.",
        sees=("outputs",),
        needs=("references_with", "references_without"),
        source="after BaVarIA, arXiv 2603.11799",
    ),
    Card(
        "quantile_gradient_norm",
        "Quantile regression of gradient norms",
        "The attacker holds the model's parameters and has records of the same "
        "distribution on which nobody trained. From these it learns by regression what"
        " the norm of the gradient of a record would be that the model was not trained"
        " on, and takes a record with a smaller norm for a member.",
        sees=("gradients",),
        needs=("population",),
        learns=True,
        source="Bertran et al., NeurIPS 2023, on the gradient norm",
    ),
    Card(
        "lira_gradient_norm",
        "LiRA of the gradient norm",
        "The attacker holds the model's parameters and trains reference models in the "
        "same way, half of which hold each record in question. It compares how likely "
        "the norm of the record's gradient is among those that hold it and among those"
        " that do not.",
        sees=("gradients",),
        needs=("references_with", "references_without"),
        source="Carlini et al., S&P 2022, Algorithm 1, on the log gradient norm",
    ),
    Card(
        "bavaria_gradient_norm",
        "LiRA of the gradient norm with a shrunk variance",
        "The attacker does what LiRA of the gradient norm does. Where few reference "
        "models tell how far a record's norm varies, those of all records help, by a "
        "prior that is fitted on them.",
        sees=("gradients",),
        needs=("references_with", "references_without"),
        source="after BaVarIA, arXiv 2603.11799, on the log gradient norm",
    ),
    Card(
        "lira_leaf_norms",
        "LiRA of the gradient norms by layer",
        "The attacker holds the model's parameters and trains reference models in the "
        "same way, half of which hold each record in question. It compares how likely "
        "the norms of the record's gradient by each array of the parameters are, taken "
        "together.",
        sees=("gradients",),
        needs=("references_with", "references_without"),
        source="Carlini et al., S&P 2022, section VI, on log gradient norms",
    ),
    Card(
        "lira_projection",
        "LiRA of a projected gradient",
        "The attacker holds the model's parameters and trains reference models in the "
        "same way, half of which hold each record in question. It compares how likely "
        "the record's gradient is, seen along a few random directions that are the "
        "same for all models, each record's variance shrunk to that of all.",
        sees=("gradients",),
        needs=("references_with", "references_without"),
        source="Carlini et al., S&P 2022, Algorithm 1, on a random projection",
    ),
    Card(
        "lira_update",
        "LiRA of the gradient along the training",
        "The attacker knows the model's parameters before and after its training, and "
        "trains reference models in the same way, half of which hold each record in "
        "question. It compares how far down the record's gradient the training went "
        "with how far it went in these, each record's variance shrunk to that of all.",
        sees=("gradients", "uploads"),
        needs=("references_with", "references_without"),
        source="Carlini et al., S&P 2022, Algorithm 1, on products with the update",
    ),
    Card(
        "rmia_gradient_norm",
        "RMIA of the gradient norm",
        "The attacker holds the model's parameters and trains reference models in the "
        "same way, half of which hold each record in question. It compares the norm of"
        " the record's gradient with its mean over all of these, as RMIA compares "
        "losses.",
        sees=("gradients",),
        needs=("references_with", "references_without"),
        source="Zarifzadeh et al., ICML 2024, section 3, on the gradient norm",
    ),
    Card(
        "gradient_cosine",
        "Gradient cosine",
        "The attacker sees the victim's update of the round last observed, and what it "
        "had received. It takes a record down whose gradient the update points for a "
        "member; only one threshold is learned.",
        sees=("gradients", "uploads"),
        source="Li, Li and Ribeiro, ICLR 2023",
    ),
    Card(
        "gradient_difference",
        "Gradient difference",
        "The attacker sees what the gradient cosine sees. It takes a record without "
        "whose gradient the update would be shorter for a member.",
        sees=("gradients", "uploads"),
        source="Li, Li and Ribeiro, ICLR 2023",
    ),
    Card(
        "loss_series",
        "Loss series",
        "The attacker sees the loss of a record under the victim's model at several "
        "rounds. It takes a record with a low mean for a member.",
        sees=("loss",),
        source="Zhu et al., CVPR 2025, Table 1",
    ),
    Card(
        "mean_cosine",
        "Mean gradient cosine",
        "The attacker sees what the gradient cosine sees, at several rounds. It takes a"
        " record whose mean cosine is large for a member.",
        sees=("gradients", "uploads"),
        source="Zhu et al., CVPR 2025, Table 1",
    ),
    Card(
        "fedmia_loss",
        "FedMIA, loss",
        "The attacker sees every participant's model at several rounds. It takes a "
        "record whose loss under the victim's is lower than under the others', who do "
        "not hold it, for a member; only one threshold is learned.",
        sees=("loss", "uploads"),
        needs=("others",),
        source="Zhu et al., CVPR 2025, section 4, FedMIA-I",
    ),
    Card(
        "fedmia_gradient",
        "FedMIA, gradient",
        "The attacker sees every participant's update at several rounds. It takes a "
        "record down whose gradient the victim's point more than the others', who do "
        "not hold it, for a member; only one threshold is learned.",
        sees=("gradients", "uploads"),
        needs=("others",),
        source="Zhu et al., CVPR 2025, section 4, FedMIA-II",
    ),
    Card(
        "combined",
        "Combination",
        "The attacker runs several attacks and knows of some records whether they are "
        "members. From these it learns how much weight each attack's score deserves, "
        "and adds them up.",
        sees=("outputs",),
        needs=("known",),
        learns=True,
        source="logistic regression on the scores",
    ),
)
