"""The least that an exchange can take to answer and to tell: a bare aiohttp server that says the same to everybody.

A process of its own. Its arguments are the sizes, in bytes, of an answer and of a message. Every POST is answered with
the one, and a websocket gets the other as fast as it can be sent. It prints its port as one line of JSON.
"""

import asyncio
import json
import sys

import uvloop
from aiohttp import WSMsgType, web

from trimtab.exchange.protocol import listen
from trimtab.exchange.rest import refusal

_BURST = 256  # messages before other tasks get their turn, as at the exchange


async def serve(answer_bytes: int, message_bytes: int) -> None:
    """Answer and tell until the process is ended."""
    body, message = b"a" * answer_bytes, b"m" * message_bytes

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=body, content_type="application/json")

    async def tell(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        telling = asyncio.create_task(_tell(socket, message))
        async for _ in socket:
            pass  # until the listener closes
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        return socket

    application = web.Application()
    application.router.add_routes([web.post("/{path:.*}", answer), web.get("/{path:.*}", tell)])
    serving = await listen(application, "127.0.0.1", 0, 0.0, refusal)
    sys.stdout.write(json.dumps({"port": serving.port}) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


async def _tell(socket: web.WebSocketResponse, message: bytes) -> None:
    while True:
        for _ in range(_BURST):
            await socket.send_frame(message, WSMsgType.TEXT)
        await asyncio.sleep(0)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
