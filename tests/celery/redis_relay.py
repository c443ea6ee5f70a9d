"""A relay before a Redis that misbehaves as planned: connection by connection, then passes all."""

import socket
import threading


class RedisRelay:
    """`plan`: what the first connections meet, in order: bytes are answered instead of Redis; a number lets
    that many bytes of Redis's answers through and cuts the connection; None passes all. On a port or path."""

    def __init__(self, port, plan=(), path=None):
        self.target, self.plan, self.met = port, list(plan), 0
        self.listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.listener.bind(str(path) if path else ("127.0.0.1", 0))
        self.listener.listen(64)
        self.port = None if path else self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            step = self.plan[self.met] if self.met < len(self.plan) else None
            self.met += 1
            threading.Thread(target=self._meet, args=(client, step), daemon=True).start()

    def _meet(self, client, step):
        try:
            if isinstance(step, bytes):
                client.recv(65536)
                client.sendall(step)
                client.close()
                return
            server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            client.close()
            return
        threading.Thread(target=self._copy, args=(client, server, None), daemon=True).start()
        self._copy(server, client, step)

    @staticmethod
    def _copy(source, target, most):
        try:
            while data := source.recv(65536):
                target.sendall(data if most is None else data[:most])
                most = None if most is None else most - len(data)
                if most is not None and most <= 0:
                    break
        except OSError:
            pass
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()
