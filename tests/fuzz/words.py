"""What a refusal may say: Binance's codes, each with its texts and HTTP status (Binance spot API, "Error codes")."""

import re

import orjson

from fuzz.wire import Answer

_NO_HTTP = r"Illegal characters found in a parameter\."
_TEXTS: dict[int, tuple[str, ...]] = {
    -1013: (
        r"Filter failure: (PRICE_FILTER|LOT_SIZE|MARKET_LOT_SIZE|PERCENT_PRICE_BY_SIDE|NOTIONAL)", r"Invalid \w+\.",
        r"This symbol does not allow the specified self-trade prevention mode\.",
    ),
    -1020: (r"This operation is not supported\.",),
    -1021: (
        r"Timestamp for this request is outside of the recvWindow\.",
        r"Timestamp for this request was 1000ms ahead of the server's time\.",
    ),
    -1022: (r"Signature for this request is not valid\.",),
    -1100: (r"Illegal characters found in parameter '\w+'; legal range is '.+'\.", _NO_HTTP),
    -1101: (
        r"Too many parameters sent for this endpoint\.", r"Too many parameters; expected '\d+' and received '\d+'\.",
        r"Duplicate values for parameter '.*'\.",
    ),
    -1102: (
        r"A mandatory parameter was not sent, was empty/null, or malformed\.",
        r"Mandatory parameter '\w+' was not sent, was empty/null, or malformed\.",
        r"Param '\w+' or '\w+' must be sent, but both were empty/null!",
    ),
    -1104: (r"Not all sent parameters were read; read '\d+' parameter\(s\) but was sent '\d+'\.",),
    -1105: (r"Parameter '\w+' was empty\.",),
    -1106: (r"Parameter '\w+' sent when not required\.",),
    -1108: (r"Parameter '\w+' overflowed\.",),
    -1111: (r"Parameter '\w+' has too much precision\.",),
    -1115: (r"Invalid timeInForce\.",),
    -1116: (r"Invalid orderType\.",),
    -1117: (r"Invalid side\.",),
    -1120: (r"Invalid interval\.",),
    -1121: (r"Invalid symbol\.",),
    -1127: (r"More than 24 hours between startTime and endTime\.",),
    -1128: (r"Combination of optional parameters invalid\.",),
    -1130: (r"Data sent for parameter '\w+' is not valid\.",),
    -1131: (r"'recvWindow' must be less than 60000\.",),
    -1136: (r"Invalid newOrderRespType\.",),
    -1151: (r"Symbol is present multiple times in the list\.",),
    -2010: (
        r"Account has insufficient balance for requested action\.", r"Order would immediately match and take\.",
        r"Duplicate order sent\.", r"Filter failure: MAX_NUM_ORDERS",
        r"Iceberg orders are not supported for this symbol\.",
        r"Order book liquidity is less than (symbol|LOT_SIZE filter) minimum quantity\.",
    ),
    -2011: (r"Unknown order sent\.",),
    -2013: (r"Order does not exist\.",),
    -2014: (r"API-key format invalid\.",),
    -2015: (r"Invalid API-key, IP, or permissions for action\.",),
}  # fmt: skip
_STATUSES = {-1020: {404, 405}, -2014: {401}, -2015: {401}, -1101: {400, 413}}
_PAGE = b"<html><body><h2>404 Not found</h2></body></html>"


def complaint(answer: Answer, *, head: bool, browser: bool, front: bool) -> str | None:
    """Why an answer is not one of Binance's; None if it is.

    `head`: it has no body; `browser`: a page of HTML was accepted; `front`: it may be refused as no proper HTTP.
    """
    if front and answer.status == 417 and answer.headers.get("content-type", "").startswith("text/plain"):
        return None
    if head:
        return None if answer.status in {200, 400, 401, 404, 405} else f"status {answer.status}"
    if browser and (answer.status, answer.body) == (404, _PAGE):
        return None
    if not answer.headers.get("content-type", "").startswith("application/json"):
        return f"{answer.status} with {answer.headers.get('content-type')}: {answer.body[:200]!r}"
    try:
        told = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return f"{answer.status} with what is no JSON: {answer.body[:200]!r}"
    if answer.status == 200:
        return None if isinstance(told, (dict, list)) and "code" not in told else f"200 with {told!r}"
    if not isinstance(told, dict) or told.keys() != {"code", "msg"}:
        return f"{answer.status} with {told!r}"
    if answer.status not in _STATUSES.get(told["code"], {400}):
        return f"{answer.status} does not belong to {told!r}"
    if re.fullmatch(_NO_HTTP, told["msg"]) and not front:
        return f"it was proper HTTP: {told!r}"
    if not any(re.fullmatch(text, told["msg"], re.DOTALL) for text in _TEXTS.get(told["code"], ())):
        return f"Binance does not say {told!r}"
    return None
