"""A proxy before the S3 server that breaks what it is told: what networks and a busy S3 do now and then."""

import re
import socket
import ssl
import threading


class Request:
    """One request as the client sent it."""

    def __init__(self, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = lines[0].split(" ", 2)
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            if name:
                self.headers[name.strip().lower()] = value.strip()
        self.head, self.body = head, body
        self.sent_back = 0  # bytes of the answer's body that the client was given


class Broken(Exception):
    """The connection is to be closed now."""


class Fault:
    """What to do to the next `times` requests that match method, pattern of the target, and a header."""

    def __init__(self, act, method=None, target="", header=None, times=1, skip=0):
        self.act, self.method, self.target, self.header = act, method, re.compile(target), header
        self.times, self.skip, self.done = times, skip, 0

    def takes(self, request):
        if self.done >= self.times or (self.method and request.method != self.method):
            return False
        if not self.target.search(request.target) or (self.header and self.header not in request.headers):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.done += 1
        return True


# ---- what can be done; each gets the connection and the request ----

def answer(status, code="", message="a fault of the test", headers=None, extra=""):
    """Answers in the server's place."""
    def act(connection, request):
        text = f"<Error><Code>{code}</Code><Message>{message}</Message>{extra}</Error>" if code else ""
        body = text.encode()
        lines = [f"HTTP/1.1 {status} Fault", f"Content-Length: {len(body)}", "Content-Type: application/xml"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        connection.client.sendall(head + (b"" if request.method == "HEAD" else body))
        return True
    return act


def answer_xml(text, status=200):
    def act(connection, request):
        body = text.encode()
        head = f"HTTP/1.1 {status} OK\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.client.sendall(head.encode() + body)
        return True
    return act


def drop():
    """Closes without an answer, before the server saw the request."""
    def act(connection, request):
        raise Broken
    return act


def lose_answer():
    """The server does it, but the client never hears so."""
    def act(connection, request):
        connection.forward(request, limit=-1)
        raise Broken
    return act


def cut(after):
    """Closes after so many bytes of the answer's body."""
    def act(connection, request):
        connection.forward(request, limit=after)
        raise Broken
    return act


def hang():
    """Says nothing until the proxy ends."""
    def act(connection, request):
        connection.proxy.ending.wait()
        raise Broken
    return act


def first(action):
    """Runs something of the test's, then forwards."""
    def act(connection, request):
        action()
        return False
    return act


def midway(after, action):
    """Runs something of the test's after so many bytes of the answer's body, and then closes."""
    def act(connection, request):
        connection.forward(request, limit=after)
        action()
        raise Broken
    return act


class Connection:
    def __init__(self, proxy, client):
        self.proxy, self.client = proxy, client
        self.pending = b""

    def read_request(self):
        head = self.read_until(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
        body = self.read_exactly(int(length.group(1)) if length else 0)
        return Request(head[:-4], body)

    def read_until(self, mark):
        while mark not in self.pending:
            self.receive()
        at = self.pending.index(mark) + len(mark)
        taken, self.pending = self.pending[:at], self.pending[at:]
        return taken

    def read_exactly(self, size):
        parts = [self.pending[:size]]
        self.pending = self.pending[size:]
        missing = size - len(parts[0])
        while missing > 0:
            data = self.client.recv(min(missing, 1 << 16))
            if not data:
                raise Broken
            parts.append(data)
            missing -= len(data)
        return b"".join(parts)

    def receive(self):
        data = self.client.recv(1 << 16)
        if not data:
            raise Broken
        self.pending += data

    def forward(self, request, limit=None):
        """Sends it to the server and the answer back: all, or `limit` bytes of its body (-1: nothing)."""
        with socket.create_connection(("127.0.0.1", self.proxy.backend), timeout=120) as server:
            server.sendall(request.head + b"\r\nConnection: close\r\n\r\n" + request.body)
            received = b""
            while b"\r\n\r\n" not in received:
                data = server.recv(1 << 16)
                if not data:
                    raise Broken
                received += data
            head, _, body = received.partition(b"\r\n\r\n")
            head = re.sub(rb"\r\nConnection: [^\r]*", b"", head, flags=re.I)
            if limit is None or limit >= 0:
                self.client.sendall(head + b"\r\n\r\n")
            self.pass_body(server, request, head, body, limit)

    def pass_body(self, server, request, head, body, limit):
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
        left = int(length.group(1)) if length and request.method != "HEAD" else 0
        while True:
            body = body[:left]
            left -= len(body)
            if limit is not None:
                body = body[:max(0, limit)]
                limit -= len(body)
            if body:
                self.client.sendall(body)
                request.sent_back += len(body)
            if left == 0 or (limit is not None and limit == 0):
                return
            body = server.recv(1 << 16)
            if not body:
                raise Broken

    def run(self):
        try:
            while True:
                request = self.read_request()
                fault = self.proxy.take(request)
                if fault is None or not fault.act(self, request):
                    self.forward(request)
        except (Broken, OSError):
            pass
        finally:
            self.proxy.forget(self.client)


class FaultProxy:
    """with FaultProxy(port) as proxy: proxy.add(drop(), method="PUT"); ... proxy.url"""

    def __init__(self, backend, tls=None):
        self.backend, self.tls = backend, tls
        self.faults, self.requests = [], []
        self.lock, self.ending = threading.Lock(), threading.Event()
        self.clients = set()

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.url = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.listener.close()
        with self.lock:
            clients = list(self.clients)
        for client in clients:
            self.forget(client)

    def add(self, act, **how):
        fault = Fault(act, **how)
        with self.lock:
            self.faults.append(fault)
        return fault

    def take(self, request):
        with self.lock:
            self.requests.append(request)
            for fault in self.faults:
                if fault.takes(request):
                    return fault
        return None

    def seen(self, method=None, target=""):
        with self.lock:
            return [one for one in self.requests
                    if (method is None or one.method == method) and re.search(target, one.target)]

    def forget(self, client):
        with self.lock:
            self.clients.discard(client)
        try:
            client.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        client.close()

    def accept(self):
        while not self.ending.is_set():
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                client = self.tls.wrap_socket(client, server_side=True)
        except (OSError, ssl.SSLError):
            client.close()
            return
        with self.lock:
            self.clients.add(client)
        Connection(self, client).run()
