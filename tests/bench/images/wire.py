# A wire between two network interfaces, `near` and `far`, on which every packet takes the given milliseconds each way.
# Separate from the driver because interfaces of this kind are opened by an ioctl, and from netem because kernels that
# were built without it are common in virtual machines.
import collections, fcntl, os, select, struct, sys, time

IFF_TUN_NO_PI, TUNSETIFF = 0x1001, 0x400454CA


def end(name):
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", name, IFF_TUN_NO_PI))
    return file


def take(file, waiting, delay):
    try:
        while True:
            waiting.append((time.monotonic() + delay, os.read(file, 65536)))
    except (BlockingIOError, OSError):
        pass


def give(file, waiting):
    while waiting and waiting[0][0] <= time.monotonic():
        try:
            os.write(file, waiting.popleft()[1])
        except OSError:
            pass  # As on any wire, what is not taken is lost.


delay = float(sys.argv[1]) / 1000
near, far = end(b"near"), end(b"far")
print("ready", flush=True)
towards = {near: (far, collections.deque()), far: (near, collections.deque())}
poll = select.poll()
for file in towards:
    poll.register(file, select.POLLIN)
while True:
    due = [waiting[0][0] for _, waiting in towards.values() if waiting]
    rest = max(0.0, min(due) - time.monotonic()) * 1000 if due else None
    for file, _ in poll.poll(rest):
        take(file, towards[file][1], delay)
    for other, waiting in towards.values():
        give(other, waiting)
