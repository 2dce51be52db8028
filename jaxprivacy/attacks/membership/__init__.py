"""Membership inference from what models say of a record, reference models beside.

All of it is NumPy in float64: the scores of these attacks are differences of large
numbers, and a probability that saturates in float32 ties records apart by orders of
magnitude. Every score is higher where a record is a member.
"""

from jaxprivacy.attacks.membership.combined import combine
from jaxprivacy.attacks.membership.conjugate import bavaria_offline, bavaria_online
from jaxprivacy.attacks.membership.federated import (
    SERVER_ATTACKS,
    Signals,
    cosine,
    fedmia,
    gradient_difference,
    negative_loss,
)
from jaxprivacy.attacks.membership.lira import lira_offline, lira_online
from jaxprivacy.attacks.membership.multivariate import lira_multivariate
from jaxprivacy.attacks.membership.outputs import (
    entropy,
    log_probability,
    modified_entropy,
    scaled_logit,
)
from jaxprivacy.attacks.membership.pool import Pool
from jaxprivacy.attacks.membership.population import population_attack
from jaxprivacy.attacks.membership.quantile import quantile_regression
from jaxprivacy.attacks.membership.rmia import dominated, rmia_offline, rmia_online
