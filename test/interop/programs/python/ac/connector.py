"""asgi-cc for one route, serving an application that replays each request to a URL.

Prints {"started":true} when it has started, which is before it is registered. On SIGTERM and when stdin ends it
deregisters and finishes what runs, as the library's shutdown() does.
"""

import asyncio
import os
import signal
import sys
import threading

import httpx
from asgi_cc import CrankerConnector, CrankerConnectorConfig

STOP_SECONDS = 10
# What concerns one connection only (RFC 9110 section 7.6.1); httpx frames the request anew.
HOP_BY_HOP = {b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade"}


def replay_to(target):
    limits = httpx.Limits(max_connections=1000, max_keepalive_connections=100)
    client = httpx.AsyncClient(timeout=None, trust_env=False, limits=limits)

    async def app(scope, receive, send):
        first = await receive()
        if first["type"] != "http.request":
            return

        async def body():
            event = first
            while event["type"] == "http.request":
                if event["body"]:
                    yield event["body"]
                if not event["more_body"]:
                    return
                event = await receive()
            raise ConnectionError("the client has left")

        headers = [(name, value) for name, value in scope["headers"] if name not in HOP_BY_HOP]
        has_body = first["more_body"] or first["body"] or any(name == b"content-length" for name, _ in headers)
        path = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        request = httpx.Request(
            scope["method"],
            target,
            headers=headers,
            content=body() if has_body else None,
            # The bytes as they came: httpx would encode the path of a URL anew.
            extensions={"target": path},
        )
        response = await client.send(request, stream=True)
        try:
            answer = [(name, value) for name, value in response.headers.raw if name.lower() not in HOP_BY_HOP]
            await send({"type": "http.response.start", "status": response.status_code, "headers": answer})
            async for chunk in response.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await response.aclose()

    return app


async def main():
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    config = CrankerConnectorConfig(
        router_urls=options["routers"].split(","),
        route=options["route"],
        component_name="interop-ac",
        sliding_window_size=int(options.get("window", 2)),
        ping_interval_seconds=float(options.get("pingInterval", 5000)) / 1000,
        deregister_timeout_seconds=STOP_SECONDS,
    )
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)

    def until_stdin_ends():
        # Not sys.stdin: Python cannot end while a thread is inside its buffer.
        while os.read(0, 64):
            pass
        loop.call_soon_threadsafe(stopping.set)

    threading.Thread(target=until_stdin_ends, daemon=True).start()
    connector = CrankerConnector(replay_to(options["target"]), config)
    await connector.startup()
    print('{"started":true}', flush=True)
    await stopping.wait()
    await connector.shutdown()


asyncio.run(main())
