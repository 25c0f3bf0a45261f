"""What may not be carried out, whatever else is right about it."""

from collections import Counter

from fuzz.draft import SECRETS, Draft


def unlawful(draft: Draft) -> str | None:
    """Why a request must not be answered with success; None if it may."""
    if _repeated(draft.query) or (draft.form_is_read and _repeated(draft.form)):
        return "a parameter came twice in one place"
    if not draft.signed:
        return None
    key = (draft.api_key or "").strip()
    if key not in SECRETS:
        return "nobody has this key"
    if draft.signature is not None:
        return "it was not signed"
    if (draft.secret or SECRETS.get(draft.api_key or "")) != SECRETS[key]:
        return "it was signed with another's secret"
    if draft.sent.get("timestamp") in {"-60001", "5000", "60000"}:
        return "its time was off"
    return None


def _repeated(pairs: list[tuple[str, str]]) -> bool:
    return any(count > 1 for count in Counter(name for name, _ in pairs).values())
