"""Refusals with Binance's own codes and texts (Binance spot API, "Error codes")."""


class VenueError(Exception):
    """A request the exchange refuses: `code` and `text` as Binance sends them, `status` the HTTP status.

    `retry_after_seconds` is how long the client is to stay away; None where that does not help.
    """

    def __init__(self, code: int, text: str, status: int = 400, retry_after_seconds: int | None = None) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text
        self.status = status
        self.retry_after_seconds = retry_after_seconds


def too_much_weight(limit: int, interval: str, retry_after_seconds: int) -> VenueError:
    """An address over its request weight; `interval` such as "1 MINUTE"."""
    text = (
        f"Too much request weight used; current limit is {limit} request weight per {interval}. "
        "Please use WebSocket Streams for live updates to avoid polling the API."
    )
    return VenueError(-1003, text, 429, retry_after_seconds)


def banned(until_ms: int, retry_after_seconds: int) -> VenueError:
    """An address that went on after it had been refused."""
    text = (
        f"Way too much request weight used; IP banned until {until_ms}. "
        "Please use WebSocket Streams for live updates to avoid bans."
    )
    return VenueError(-1003, text, 418, retry_after_seconds)


def too_many_orders(limit: int, interval: str, retry_after_seconds: int) -> VenueError:
    """An account with too many unfilled orders; `interval` such as "10 SECOND"."""
    text = f"Too many new orders; current limit is {limit} orders per {interval}."
    return VenueError(-1015, text, 429, retry_after_seconds)


def unsupported(status: int = 400) -> VenueError:
    """A path, a method or an operation that is not there."""
    return VenueError(-1020, "This operation is not supported.", status)


def illegal_bytes() -> VenueError:
    """What is no HTTP request."""
    return VenueError(-1100, "Illegal characters found in a parameter.")


def too_large() -> VenueError:
    """A body larger than any endpoint reads."""
    return VenueError(-1101, "Too many parameters sent for this endpoint.", 413)


def unreadable() -> VenueError:
    """A body that is not what its headers say."""
    return VenueError(-1102, "A mandatory parameter was not sent, was empty/null, or malformed.")


def repeated(parameter: str) -> VenueError:
    """A parameter sent twice in one place."""
    return VenueError(-1101, f"Duplicate values for parameter '{parameter}'.")


def too_many(expected: int, received: int) -> VenueError:
    """More parameters than the endpoint has."""
    return VenueError(-1101, f"Too many parameters; expected '{expected}' and received '{received}'.")


def unread(read: int, sent: int) -> VenueError:
    """Parameters that the endpoint does not read."""
    text = f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'."
    return VenueError(-1104, text)


def empty(parameter: str) -> VenueError:
    """A parameter without a value."""
    return VenueError(-1105, f"Parameter '{parameter}' was empty.")


def overflowed(parameter: str) -> VenueError:
    """A number beyond 64 bits."""
    return VenueError(-1108, f"Parameter '{parameter}' overflowed.")


def invalid_data(parameter: str) -> VenueError:
    """A value outside of what the parameter means."""
    return VenueError(-1130, f"Data sent for parameter '{parameter}' is not valid.")


def bad_combination() -> VenueError:
    """Optional parameters that do not go together."""
    return VenueError(-1128, "Combination of optional parameters invalid.")


def interval_too_long(hours: int) -> VenueError:
    """A look-up over too long a time."""
    return VenueError(-1127, f"More than {hours} hours between startTime and endTime.")


def symbol_repeated() -> VenueError:
    """A list that names a symbol twice."""
    return VenueError(-1151, "Symbol is present multiple times in the list.")


def iceberg_unsupported() -> VenueError:
    """An iceberg order; no symbol here allows them."""
    return VenueError(-2010, "Iceberg orders are not supported for this symbol.")


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


def too_little_liquidity(*, empty: bool) -> VenueError:
    """A MARKET order by quote units that finds less than one step in the book."""
    least = "symbol" if empty else "LOT_SIZE filter"
    return VenueError(-2010, f"Order book liquidity is less than {least} minimum quantity.")


def too_many_open() -> VenueError:
    """An account with as many open orders as the symbol allows; the matching engine's own refusal."""
    return VenueError(-2010, "Filter failure: MAX_NUM_ORDERS")


def prevention_not_allowed() -> VenueError:
    """A self-trade prevention mode that the symbol does not allow."""
    return VenueError(-1013, "This symbol does not allow the specified self-trade prevention mode.")


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
    return VenueError(-1131, "'recvWindow' must be less than 60000.")


def bad_response_type() -> VenueError:
    """A newOrderRespType that is none of ACK, RESULT, FULL."""
    return VenueError(-1136, "Invalid newOrderRespType.")
