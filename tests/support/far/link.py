"""A long link between two network namespaces: packets cross it after a delay and at a rate.

It stands in for netem, which kernels may lack. Usage: link.py NS_A NS_B DELAY_MS MBIT LOST CONTROL WINDOW, where
NS_* are files of network namespaces, which get 10.99.0.1 and 10.99.0.2, LOST of a million packets are, CONTROL is
TCP's congestion control, and WINDOW are the bytes that a sender has under way at most. "ready" is printed when it is
up; it ends with its stdin.
"""

import collections
import ctypes
import fcntl
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 1, 0x1000, 0x40000000
# Jumbo frames: the fewer packets, the less this program itself slows the link.
MTU = 9000
# What the slower side's queue holds: a quarter of a second, as much as home routers and clouds have.
QUEUE_SECONDS = 0.25

# What Linux comes with, whatever this machine is set to.
KERNEL = {
    "tcp_congestion_control": sys.argv[6],
    # What one connection learned is not for the next one: rows are compared.
    "tcp_no_metrics_save": "1",
    "tcp_rmem": "4096 131072 6291456",
    "tcp_wmem": f"4096 16384 {sys.argv[7]}",
}

libc = ctypes.CDLL(None, use_errno=True)


def device(namespace, address):
    with open(namespace) as file:
        if libc.setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", b"far0", IFF_TUN | IFF_NO_PI))
    for command in (
        f"ip addr add {address}/24 dev far0",
        f"ip link set far0 mtu {MTU} txqueuelen 10000 up",
        "ip link set lo up",
    ):
        subprocess.run(command.split(), check=True)
    for name, value in KERNEL.items():
        with open(f"/proc/sys/net/ipv4/{name}", "w") as file:
            file.write(value)
    return tun


def main():
    delay, rate = float(sys.argv[3]) / 1000, float(sys.argv[4]) * 1e6 / 8
    lost = float(sys.argv[5]) / 1e6
    a, b = device(sys.argv[1], "10.99.0.1"), device(sys.argv[2], "10.99.0.2")
    queues = {a: collections.deque(), b: collections.deque()}
    free = {a: 0.0, b: 0.0}
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        due = min((queue[0][0] for queue in queues.values() if queue), default=now + 1)
        readable, _, _ = select.select([a, b, 0], [], [], max(0.0, due - now))
        if 0 in readable:
            return
        for source in readable:
            target = b if source == a else a
            for _ in range(64):
                try:
                    packet = os.read(source, MTU + 100)
                except BlockingIOError:
                    break
                if random.random() < lost:
                    continue
                now = time.monotonic()
                leaves = max(now, free[source]) + len(packet) / rate
                if leaves - now < QUEUE_SECONDS:
                    free[source] = leaves
                    queues[target].append((leaves + delay, packet))
        now = time.monotonic()
        for target, queue in queues.items():
            while queue and queue[0][0] <= now:
                try:
                    os.write(target, queue.popleft()[1])
                except OSError:
                    pass


main()
