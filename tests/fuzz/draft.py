"""A request as it is meant; the bytes of it depend on the clock only."""

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from urllib.parse import quote

FORM = "application/x-www-form-urlencoded"
SECRETS = {"ann-key": "ann-secret", "bob-key": "bob-secret"}
SAFE = "!$'()*,;:@/?[]{}\"|^`<>\\~-._"
"""Characters that may stand in a query as they are; what would change its meaning or end the request line may not."""


@dataclass(slots=True)
class Draft:
    """One request before it is signed.

    `query` and `form` are names and values before encoding (bytes that are no text as surrogates); a value that is a
    number of milliseconds and stands under "timestamp" is added to the clock. `bare` sends text as raw bytes, which an
    HTTP server may refuse before anybody looks at it. `raw` in place of the form's body is sent as it is.
    """

    method: str
    path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    form: list[tuple[str, str]] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    api_key: str | None = None
    signed: bool = False
    secret: str | None = None
    signature: str | None = None
    unit: str = "ms"
    encode_all: bool = False
    bare: bool = False
    raw: bytes | None = None
    chunked: bool = False
    shape: str = ""

    @property
    def form_is_read(self) -> bool:
        """Whether the body is a form by its header too, of a method that has one."""
        types = [value for name, value in self.headers if name == "Content-Type"] or [""]
        named = types[-1].lower().partition(";")[0].strip() == FORM
        return named and self.raw is None and self.method not in {"GET", "HEAD"}

    @property
    def sent(self) -> dict[str, str]:
        """What a venue that reads it understands, by name: of query and form the query counts."""
        return {**(dict(self.form) if self.form_is_read else {}), **dict(self.query)}

    def build(self, now_ms: int) -> bytes:
        """The bytes of it at this moment."""
        query, body = self._text(self.query, now_ms), self._text(self.form, now_ms)
        body_bytes = body.encode("utf-8", "surrogateescape") if self.raw is None else self.raw
        if self.signed:
            payload = query.encode("utf-8", "surrogateescape") + body_bytes
            given = self.signature if self.signature is not None else self._sign(payload)
            if given != "absent":
                in_form = bool(self.form) and not self.query and self.raw is None
                text = f"signature={given}"
                if in_form:
                    body_bytes += b"&" + text.encode("utf-8", "surrogateescape")
                else:
                    query += ("&" if query else "") + text
        target = self.path + (f"?{query}" if query else "")
        return self._message(target.encode("utf-8", "surrogateescape"), body_bytes)

    def _sign(self, payload: bytes) -> str:
        secret = self.secret or SECRETS.get(self.api_key or "", "nobody")
        return hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()

    def _text(self, pairs: list[tuple[str, str]], now_ms: int) -> str:
        return "&".join(
            f"{self._escape(name)}={self._escape(self._value(name, value, now_ms))}" for name, value in pairs
        )

    def _value(self, name: str, value: str, now_ms: int) -> str:
        if name != "timestamp" or not re.fullmatch(r"-?[0-9]{1,9}", value):
            return value
        moment = now_ms + int(value)
        return str(moment * 1000) if self.unit == "us" else str(moment)

    def _escape(self, text: str) -> str:
        if self.bare:
            return text
        raw = text.encode("utf-8", "surrogateescape")
        return "".join(f"%{byte:02x}" for byte in raw) if self.encode_all else quote(raw, safe=SAFE)

    def _message(self, target: bytes, body: bytes) -> bytes:
        lines = [self.method.encode() + b" " + target + b" HTTP/1.1", b"Host: 127.0.0.1"]
        lines += [f"{name}: {value}".encode("utf-8", "surrogateescape") for name, value in self.headers]
        if self.api_key is not None:
            lines.append(b"X-MBX-APIKEY: " + self.api_key.encode("utf-8", "surrogateescape"))
        if self.chunked:
            lines.append(b"Transfer-Encoding: chunked")
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        elif body or self.method in {"POST", "PUT", "DELETE"}:
            lines.append(b"Content-Length: %d" % len(body))
        return b"\r\n".join(lines) + b"\r\n\r\n" + body
