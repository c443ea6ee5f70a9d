"""A way to the broker that can be cut: a TCP proxy, so that connections break at any byte and as often as wanted."""

import socket
import threading


class Cuttable:
    """Listens on a free port of 127.0.0.1 and passes everything on to `port`, until cut() or close()."""

    def __init__(self, port):
        self.target, self.pairs, self.lock = port, [], threading.Lock()
        self.answers = threading.Event()  # the broker's bytes are passed on while it is set
        self.answers.set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            with self.lock:
                self.pairs.append((near, far))
            for way in ((near, far), (far, near, self.answers)):
                threading.Thread(target=self._pump, args=way, daemon=True).start()

    def _pump(self, source, sink, gate=None):
        try:
            while data := source.recv(65536):
                if gate is not None:
                    gate.wait()
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        """Breaks all connections that there are; how many."""
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                end.close()
        return len(pairs)

    def close(self):
        self.listener.close()
        self.cut()
