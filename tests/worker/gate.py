"""A gate before S3: lets a number of bytes of its answers through, then holds all back until it is opened.

So a test can stand still in the middle of a merge, however fast the machine is, do what it wants to do there,
and let the merge go on. Signatures stay right: bytes pass unchanged."""

import select
import socket
import threading


class Gate:
    """Listens on a port of its own (`url`); `target` is the port of the S3 server on this machine."""

    def __init__(self, target, allowance):
        self.target, self.left = target, allowance
        self._changed = threading.Condition()
        self._opened = self._closing = False
        self._reached = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def wait_until_reached(self, timeout=120):
        """Until the allowance is used up: the merge stands still somewhere in the middle."""
        assert self._reached.wait(timeout), "the merge never asked S3 for that much"

    def step(self, allowance):
        """Lets so many bytes more through."""
        with self._changed:
            self.left += allowance
            self._changed.notify_all()

    def open(self):
        """Lets everything through from now on."""
        with self._changed:
            self._opened = True
            self._changed.notify_all()

    def close(self):
        self._closing = True
        self.open()
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            with client, socket.create_connection(("127.0.0.1", self.target)) as server:
                self._pump(client, server)
        except OSError:
            pass

    def _pump(self, client, server):
        """Both directions of a connection, until either side closes or the gate is gone."""
        while not self._closing:
            ready, _, _ = select.select([client, server], [], [], 0.5)
            for source in ready:
                data = source.recv(65536)
                if not data:
                    return
                if source is server:
                    self._pass(len(data))
                    client.sendall(data)
                else:
                    server.sendall(data)

    def _pass(self, size):
        """Waits until `size` more bytes of answers may go through."""
        with self._changed:
            while self.left < size and not self._opened:
                self._reached.set()
                self._changed.wait()
            self.left -= size
