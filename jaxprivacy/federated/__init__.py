"""Federated protocols: the roles, and rounds that know nothing of attacks."""
