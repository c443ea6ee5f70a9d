"""Ports: which is taken, which is free."""

import os
import random
import socket

# Below the kernel's range for outgoing connections (32768 and up), so that none of those takes a port between the
# moment it is found free and the moment the server binds it.
FIRST, LAST = 12000, 31999


def port_is_taken(port, host="127.0.0.1"):
    """Whether something listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


_given = set()
_random = random.Random(os.getpid() * 7919 + int.from_bytes(os.urandom(4), "big"))


def free_port():
    """A port of this machine that nobody listens on and that this process has not given out before."""
    for _ in range(1000):
        port = _random.randint(FIRST, LAST)
        if port not in _given and not port_is_taken(port):
            _given.add(port)
            return port
    raise OSError(f"no free port from {FIRST} to {LAST}")
