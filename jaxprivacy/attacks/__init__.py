"""Attacks: what a curious or dishonest server or participant does with what it sees."""
