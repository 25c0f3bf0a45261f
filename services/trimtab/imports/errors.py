"""Why an import ends."""

from trimtab.domain.errors import TrimtabError
from trimtab.exits import MISCONFIGURED


class ImportRefusedError(TrimtabError):
    """Files that cannot be imported: which one, where in it, what was found, what is needed."""

    exit_code = MISCONFIGURED
