"""A DHCP server with one lease, 10.1.0.10/24 with the router 10.1.0.1, for whoever asks on the link r1.
It is separate from its test because it runs in a namespace inside of a booted machine."""

import socket
import struct

OWN, LEASED, MASK = (socket.inet_aton(text) for text in ("10.1.0.1", "10.1.0.10", "255.255.255.0"))
MAGIC = b"\x63\x82\x53\x63"
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5
ANSWERS = {DISCOVER: OFFER, REQUEST: ACK}


def asked(options):
    """The kind of a message (option 53)."""
    while options and options[0] != 255:
        if options[0] == 0:
            options = options[1:]
            continue
        code, length = options[0], options[1]
        if code == 53:
            return options[2]
        options = options[2 + length :]
    return None


def answer(packet):
    kind = ANSWERS.get(asked(packet[240:]))
    if packet[0] != 1 or kind is None:
        return None
    xid, hardware = packet[4:8], packet[28:44]
    head = struct.pack("!BBBB4sHH4s4s4s4s16s192x", 2, 1, 6, 0, xid, 0, 0x8000, bytes(4), LEASED, OWN, bytes(4), hardware)
    options = {53: bytes([kind]), 54: OWN, 51: struct.pack("!I", 600), 1: MASK, 3: OWN}
    return head + MAGIC + b"".join(bytes([code, len(value)]) + value for code, value in options.items()) + b"\xff"


with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"r1\0")
    server.bind(("", 67))
    while True:
        reply = answer(server.recv(2048))
        if reply:
            server.sendto(reply, ("255.255.255.255", 68))
