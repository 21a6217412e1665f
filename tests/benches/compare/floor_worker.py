"""The floor's worker: answers length-prefixed frames on a unix socket with themselves, and does nothing else.

A frame is four bytes of length, little-endian, and as many bytes of payload.
"""

from __future__ import annotations

import socket
import struct
import sys

LENGTH = struct.Struct("<I")


def receive(host: socket.socket, count: int) -> bytes:
    data = host.recv(count)
    while len(data) < count:
        more = host.recv(count - len(data))
        if not more:
            sys.exit()
        data += more
    return data


with socket.socket(socket.AF_UNIX) as host:
    host.connect(sys.argv[1])
    while True:
        (length,) = LENGTH.unpack(receive(host, LENGTH.size))
        payload = receive(host, length)
        host.sendall(LENGTH.pack(len(payload)) + payload)
