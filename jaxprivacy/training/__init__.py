"""Loss, gradient functions and local training."""
