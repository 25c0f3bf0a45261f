"""Refusals with Binance's own codes and texts (Binance spot API, "Error codes")."""


class VenueError(Exception):
    """A request the exchange refuses: `code` and `text` as Binance sends them, `status` the HTTP status."""

    def __init__(self, code: int, text: str, status: int = 400) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text
        self.status = status


def filter_failure(name: str) -> VenueError:
    """An order that breaks the symbol's filter `name`."""
    return VenueError(-1013, f"Filter failure: {name}")


def mandatory(parameter: str) -> VenueError:
    """A parameter that is needed and absent, empty or malformed."""
    return VenueError(-1102, f"Mandatory parameter '{parameter}' was not sent, was empty/null, or malformed.")


def either_mandatory(one: str, other: str) -> VenueError:
    """Neither of two parameters of which one is needed."""
    return VenueError(-1102, f"Param '{one}' or '{other}' must be sent, but both were empty/null!")


def not_required(parameter: str) -> VenueError:
    """A parameter that this order type does not take."""
    return VenueError(-1106, f"Parameter '{parameter}' sent when not required.")


def illegal_characters(parameter: str, legal: str) -> VenueError:
    """A parameter outside its legal range."""
    return VenueError(-1100, f"Illegal characters found in parameter '{parameter}'; legal range is '{legal}'.")


def too_precise(parameter: str) -> VenueError:
    """More decimals than the asset has."""
    return VenueError(-1111, f"Parameter '{parameter}' has too much precision.")


def invalid_symbol() -> VenueError:
    """A symbol that is not listed."""
    return VenueError(-1121, "Invalid symbol.")


def unknown_order() -> VenueError:
    """A cancellation of an order that is not open."""
    return VenueError(-2011, "Unknown order sent.")


def no_such_order() -> VenueError:
    """A question about an order the account never had."""
    return VenueError(-2013, "Order does not exist.")


def duplicate_order() -> VenueError:
    """A client order id that one of the account's open orders already bears."""
    return VenueError(-2010, "Duplicate order sent.")


def insufficient_balance() -> VenueError:
    """Less free than the order needs."""
    return VenueError(-2010, "Account has insufficient balance for requested action.")


def would_take() -> VenueError:
    """A LIMIT_MAKER order that would match at once."""
    return VenueError(-2010, "Order would immediately match and take.")


def market_closed() -> VenueError:
    """An order on a symbol that does not trade at present."""
    return VenueError(-1013, "Market is closed.")


def bad_signature() -> VenueError:
    """The HMAC does not fit payload and secret."""
    return VenueError(-1022, "Signature for this request is not valid.")


def outside_window() -> VenueError:
    """The request is older than its recvWindow."""
    return VenueError(-1021, "Timestamp for this request is outside of the recvWindow.")


def ahead_of_server() -> VenueError:
    """The request's timestamp lies more than a second in the server's future."""
    return VenueError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")


def key_format() -> VenueError:
    """No API key, or one of impossible form."""
    return VenueError(-2014, "API-key format invalid.", 401)


def key_unknown() -> VenueError:
    """An API key nobody here has."""
    return VenueError(-2015, "Invalid API-key, IP, or permissions for action.", 401)


def window_too_wide() -> VenueError:
    """A recvWindow over a minute."""
    return VenueError(-1131, "recvWindow must be less than 60000")


def bad_response_type() -> VenueError:
    """A newOrderRespType that is none of ACK, RESULT, FULL."""
    return VenueError(-1136, "Invalid newOrderRespType.")
