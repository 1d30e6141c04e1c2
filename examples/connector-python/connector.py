"""A Cranker connector for versions 3.0 and 1.0. Numbers in parentheses are sections of docs/protocol.md."""
import argparse
import http.client
import random
import re
import signal
import struct
import time
import uuid
from contextlib import suppress
from queue import Queue
from threading import Event, Lock, Thread

from websockets.sync.client import connect

DATA, HEADER, RST_STREAM, WINDOW_UPDATE, END_STREAM, END_HEADERS = 0, 1, 3, 8, 1, 4  # (5.1)
MARKERS = {"_1": END_HEADERS, "_2": END_HEADERS | END_STREAM, "_3": END_STREAM}  # (4.1)
TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
REQUEST_LINE = rf"\A(?=[\n\t -~\x80-\xff]*\Z)(?!CONNECT |TRACE )({TOKEN}) (/[^ \t\n]*|\*)[ \n]"  # (3.3, 8.4)
HOP_BY_HOP = set("""connection keep-alive proxy-connection transfer-encoding te trailer upgrade http2-settings
                 proxy-authorization proxy-authenticate expect""".split())  # (8.2)


def forwardable(fields):
    named = ",".join(value for name, value in fields if name.lower() == "connection").lower()
    dropped = HOP_BY_HOP | {*re.findall(TOKEN, named)} - {"host", "content-length", "authorization", "cookie"}
    return [(name, value) for name, value in fields if name.lower() not in dropped]


def frame_of(message, old):  # a message of 1.0 as the frame of 3.0 that says the same (4.1, 5.1)
    if isinstance(message, bytes):
        return (DATA, 0, 1, message) if old else (*struct.unpack(">BBi", message[:6]), message[6:])
    head, marker = message.rstrip()[:-2], message.rstrip()[-2:]
    return HEADER if head else DATA, MARKERS[marker], 1, head.encode()


class Exchange:  # a request and its response: one of many on a socket of 3.0 (5), the only one on 1.0 (4)
    def __init__(self, ws, id):
        self.ws, self.id, self.started, self.service, self.over = ws, id, False, None, Lock()  # end() has it
        self.head, self.body, self.credits = b"", Queue(), Queue()  # of the body None is the end

    def receive(self, type, flags, payload):
        if type == HEADER:
            self.head += payload
            if self.started or len(self.head) > 65536:
                self.end(1002)
            elif flags & END_HEADERS:
                self.started = True
                Thread(target=self.run, args=(not flags & END_STREAM,), daemon=True).start()
        elif type == DATA:
            self.body.put(payload)
            if flags & END_STREAM:
                self.body.put(None)
            while self.ws.old and self.body.qsize() > 4 and not self.over.locked():
                time.sleep(0.001)  # not to read is the only brake (4.3)
        elif type == WINDOW_UPDATE:
            self.credits.put(int.from_bytes(payload[:4], "big"))
        elif type == RST_STREAM:
            self.end()

    def run(self, has_body):
        try:
            text = self.head.decode().replace("\r\n", "\n").partition("\n\n")[0] + "\n"
            [(method, target)] = re.findall(REQUEST_LINE, text)
            fields = re.findall(rf"^[ \t]*({TOKEN})[ \t]*:[ \t]*(.*?)[ \t]*$", text, re.M)
            have = {name.lower() for name, _ in fields}
            chunked = has_body and "content-length" not in have
            target = target if target == "*" else options.target[1] + target  # as text (8.4)
            service = http.client.HTTPConnection(options.target[0])
            service.putrequest(method, target, skip_host="host" in have, skip_accept_encoding=True)
            framing = [("connection", "close")] + [("transfer-encoding", "chunked")] * chunked
            for name, value in forwardable(fields) + framing:
                service.putheader(name, value)
            service.endheaders()
            self.service = service.sock
            if self.over.locked():
                raise ConnectionAbortedError  # cancelled meanwhile
            if has_body:
                Thread(target=self.upload, args=(chunked,), daemon=True).start()
            response = service.getresponse()  # perhaps before the request is complete (5.2)
            while response.status < 200:  # 1xx are dropped (8.4)
                response.headers = None
                response.begin()
            self.respond(response)
            self.end(1011 if response.length else 1000)  # if bytes are missing, it was broken off
        except Exception as error:  # one bad request ends one exchange
            self.end(1008 if isinstance(error, ValueError) else 1011)  # not acceptable, or not answered (4.4)

    def upload(self, chunked):
        with suppress(Exception):  # a service that takes no more may answer all the same
            self.send(WINDOW_UPDATE, 0, struct.pack(">i", len(self.head)))
            for piece in iter(self.body.get, None):
                self.service.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked and piece else piece)
                self.send(WINDOW_UPDATE, 0, struct.pack(">i", len(piece)))
            self.service.sendall(b"0\r\n\r\n" * chunked)

    def respond(self, response):
        fields = "".join(f"{name}:{value}\n" for name, value in forwardable(response.getheaders()))
        head = f"HTTP/1.1 {response.status} {response.reason}\n{fields}"
        part = len(head) if self.ws.old else 8000  # 16,000 bytes at most, cut between code points (5.2)
        for i in range(0, len(head), part):
            self.send(HEADER, END_HEADERS * (i + part >= len(head)), head[i:i + part].encode())
        unacknowledged = len(head.encode())
        while piece := response.read1(16384):
            limit = 65536
            while (unacknowledged > limit and not self.ws.old) or not self.credits.empty():  # (5.4)
                limit = 16383 if self.credits.empty() else limit
                unacknowledged -= self.credits.get()
            unacknowledged += len(piece)
            self.send(DATA, 0, piece)

    def send(self, type, flags, payload=b""):
        if not self.ws.old:
            self.ws.send(struct.pack(">BBi", type, flags, self.id) + payload)
        elif type in (HEADER, DATA):
            self.ws.send(payload, text=type == HEADER)

    def end(self, code=None):  # and, with a code, tells the router (4.2, 4.4, 5.2, 5.3)
        if not self.over.acquire(blocking=False):
            return
        with suppress(OSError, AttributeError):  # it may not be connected
            self.service.shutdown(2)
        self.body.put(None)
        self.credits.put(float("inf"))
        with suppress(Exception):
            if code and self.ws.old:
                self.ws.close(code)
            elif code:
                self.send(*(DATA, END_STREAM) if code == 1000 else (RST_STREAM, 0, struct.pack(">i", 1011)))
        self.ws.running.pop(self.id, None)


class Router:  # the registration at one router, with a sliding window of two (7.1)
    def __init__(self, url):
        self.url, self.sockets, self.dialling = url.rstrip("/"), set(), Lock()
        for _ in range(2):
            Thread(target=self.keep_socket, daemon=True).start()

    def dial(self, path, versions=None):
        return connect(f"{self.url}/{path}/?connectorInstanceID={options.id}&componentName=example",
                       additional_headers={"CrankerProtocol": "1.0", "Route": options.route}, proxy=None,
                       subprotocols=versions, compression=None, max_queue=2, ping_interval=5, ping_timeout=15)

    def keep_socket(self):
        ws, pause = None, 0.3
        while not ws or not ws.taken:
            try:
                with self.dialling:
                    ws, pause = self.dial("register", options.protocol), 0.3
                    ws.running, ws.taken, ws.old = {}, False, ws.subprotocol != "cranker_3.0"
                    self.sockets.add(ws)
                self.serve(ws)
            except Exception as error:
                print(f"{self.url}: {error}", flush=True)
            time.sleep(random.uniform(0.2, pause := min(10, 2 * pause)))  # (7.2)

    def serve(self, ws):  # reads a socket until it is closed, and on 3.0 waits for nothing else (5.7)
        try:
            for message in ws:
                if isinstance(message, str) and not ws.old:
                    continue  # (5.5)
                type, flags, id, payload = frame_of(message, ws.old)
                exchange = ws.running.get(id)
                if not exchange and type == HEADER and id > 0:
                    exchange = ws.running[id] = Exchange(ws, id)
                    if ws.old:
                        ws.taken, ws.ping_timeout, ws.close_timeout = True, None, 300  # (4.2, 6.2)
                        Thread(target=self.keep_socket, daemon=True).start()  # the next one at once (7.1)
                if exchange:
                    exchange.receive(type, flags, payload)
        finally:
            self.sockets.discard(ws)
            for exchange in list(ws.running.values()):
                exchange.end()
            ws.close(1002)  # unless it is closed: a message could not be read (4.7, 5.5)

    def stop(self):  # in this order no request is lost (7.4)
        self.dialling.acquire(timeout=2)  # for ever. A dial under way completes
        with suppress(Exception):
            self.dial("deregister").recv(timeout=2)
        deadline = time.monotonic() + 30
        for ws in list(self.sockets):
            with suppress(Exception):
                ws.ping().wait(5)  # what came before the pong has been read
            while ws.running and time.monotonic() < deadline:
                time.sleep(0.05)
            ws.close(1001)


parser = argparse.ArgumentParser(description="Connects an HTTP service to Cranker routers.")
parser.add_argument("--router", required=True, type=lambda x: x.split(","), help="ws://host:port, or several")
parser.add_argument("--route", required=True)
parser.add_argument("--target", required=True, type=lambda x: re.match("http://([^/]+)(.*?)/?$", x).groups())
parser.add_argument("--protocol", default="3.0,1.0", type=lambda x: [f"cranker_{v}" for v in x.split(",")])
options = parser.parse_args(namespace=argparse.Namespace(id=uuid.uuid4()))
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
routers = [Router(url) for url in options.router]
signal.sigwait([signal.SIGTERM, signal.SIGINT])
for router in routers:
    Thread(target=router.stop).start()
