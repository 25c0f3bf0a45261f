"""Nouns and rules of trimtab; the standard library only."""
