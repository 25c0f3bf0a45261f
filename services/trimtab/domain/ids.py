"""Ids are hashes of their causes: the same inputs give the same id, on every machine, in every replay."""

from hashlib import blake2b

# Separates parts so that ("ab", "c") and ("a", "bc") differ; it cannot stand inside a part.
_SEPARATOR = "\x1f"


def derive(kind: str, *causes: object) -> str:
    """Return 32 hexadecimal characters for this kind of thing and its causes, in order."""
    text = _SEPARATOR.join(map(str, (kind, *causes)))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def client_order_id(parent_id: str, attempt: int) -> str:
    """Return the venue-facing id of a parent's nth child: 35 characters of [a-z0-9-], within every venue's limit.

    Without its "tt-" it is a UUID of version 4 without hyphens, the only form that some venues take.
    """
    digits = derive("child", parent_id, attempt)
    variant = "89ab"[int(digits[16], 16) % 4]
    return f"tt-{digits[:12]}4{digits[13:16]}{variant}{digits[17:]}"
