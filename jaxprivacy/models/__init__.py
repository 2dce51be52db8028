"""Linen modules: targets, generators, attack networks, and their fast convolutions."""
