"""HTTP as bytes: what no client library would send."""

import asyncio
from dataclasses import dataclass

ANSWER_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """One connection after the other to a port of this machine, from the address `source`, which is one of its own."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self._port = port
        self._source = source
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, message: bytes, *, head: bool = False) -> Answer:
        """Send a request and read the answer; the connection is kept as long as the other side keeps it."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                "127.0.0.1", self._port, limit=1 << 24, local_addr=(self._source, 0)
            )
        reader, writer = self._streams
        writer.write(message)
        answer = await asyncio.wait_for(_read(reader, head=head), ANSWER_SECONDS_MAX)
        # who refuses a body unread may close without saying so in time
        if (
            answer.headers.get("connection", "").lower() == "close"
            or answer.status in {400, 413}
            or len(message) > 1 << 16
        ):
            await self.close()
        return answer

    async def close(self) -> None:
        """Let the connection go."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _read(reader: asyncio.StreamReader, *, head: bool) -> Answer:
    status = int((await reader.readline()).split(b" ")[1])
    if status == 100:  # "go on": the answer itself follows
        await reader.readline()
        return await _read(reader, head=head)
    headers: dict[str, str] = {}
    while (line := await reader.readline()) not in {b"\r\n", b""}:
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    length = 0 if head else int(headers.get("content-length", "0"))
    return Answer(status, headers, await reader.readexactly(length))
