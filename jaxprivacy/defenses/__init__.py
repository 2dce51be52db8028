"""Defenses: roles of training that give away less."""
