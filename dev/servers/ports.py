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


_reserved = []  # sockets that are kept open, see free_port
_random = random.Random(os.getpid() * 7919 + int.from_bytes(os.urandom(4), "big"))


def _reserve(port):
    """Takes a name in the kernel's abstract namespace, which is free again when this process ends."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0logmerge-port-{port}")
    except OSError:
        name.close()
        return False
    _reserved.append(name)
    return True


def free_port():
    """A port of this machine that nobody listens on, and that neither this process nor another one that uses this
    function has given out: servers that start beside each other bind theirs some seconds later."""
    for _ in range(1000):
        port = _random.randint(FIRST, LAST)
        if _reserve(port) and not port_is_taken(port):
            return port
    raise OSError(f"no free port from {FIRST} to {LAST}")
