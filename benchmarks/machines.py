"""Several machines on one: a network namespace each, and a switch between them.

``tc netem`` is not in every kernel, so the switch is a process that moves IP packets between the
namespaces' TUN devices. Each machine has a link of its own, of ``bandwidth`` bytes a second both
ways at once, and a packet takes ``delay`` seconds beside that. Nothing is lost or reordered. No
namespace has a way out: their addresses, which are reserved for benchmarks (RFC 2544), are on no
other device, and all is gone with the context.
"""

import contextlib
import fcntl
import heapq
import multiprocessing
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
# A packet as large as the loopback device's: at 1 Gbit/s there are then two a millisecond, which
# Python moves in a few per cent of a core; of 1,500 bytes there would be more than it can.
PACKET_BYTES = 65_000
# Buffers are large at first: a message of up to 4 MB is on its way as soon as it is sent, while its
# sender computes. By default they grow to that in the life of a connection.
SETTINGS = {
    "tcp_rmem": "4096 4194304 16777216",
    "tcp_wmem": "4096 4194304 16777216",
    "tcp_slow_start_after_idle": "0",
}
COMMAND_SECONDS = 20


def missing():
    """Why there can be no namespaces here; None where there can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "iproute2 is not installed"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun"
    try:
        with machines(1, 0.0, 1e9):
            return None
    except (OSError, subprocess.SubprocessError) as error:
        return f"no network namespace can be made: {error}"


def address(number):
    return f"198.18.0.{number + 1}"


def run(*words):
    pipes = {"check": True, "capture_output": True, "text": True, "timeout": COMMAND_SECONDS}
    return subprocess.run([str(word) for word in words], **pipes).stdout


@contextlib.contextmanager
def machines(count, delay, bandwidth):
    """Within, the names of ``count`` namespaces, the machine of a number at its ``address``."""
    _remove_left_over()
    with contextlib.ExitStack() as stack:
        names, devices = [], []
        for number in range(count):
            name = f"bpcore{os.getpid()}-{number}"
            run("ip", "netns", "add", name)
            stack.callback(_remove, name)
            names.append(name)
            device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            stack.callback(os.close, device)
            devices.append(device)
            _connect(device, f"bp{os.getpid()}n{number}", name, number)
        # Forked, it has the devices; where this process is killed, it ends by itself.
        arguments = devices, delay, bandwidth, os.getpid()
        switch = multiprocessing.get_context("fork").Process(target=_switch, args=arguments)
        switch.start()
        stack.callback(switch.join)
        stack.callback(switch.kill)
        yield names


def _connect(device, interface, name, number):
    """Put a TUN device that has an address and a file here into a namespace."""
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", interface.encode(), IFF_TUN | IFF_NO_PI))
    run("ip", "link", "set", interface, "netns", name)
    inside = "ip", "-n", name
    run(*inside, "link", "set", "lo", "up")
    run(*inside, "addr", "add", f"{address(number)}/24", "dev", interface)
    run(*inside, "link", "set", interface, "mtu", PACKET_BYTES, "txqueuelen", 10_000, "up")
    settings = [f"net.ipv4.{key}={value}" for key, value in SETTINGS.items()]
    run("ip", "netns", "exec", name, "sysctl", "-q", "-w", *settings)


def _remove(name):
    """End what still runs in a namespace, and delete it."""
    for process in run("ip", "netns", "pids", name).split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(process), signal.SIGKILL)
    run("ip", "netns", "delete", name)


def _remove_left_over():
    """Delete the namespaces of processes that were killed before they could."""
    for line in run("ip", "netns", "list").splitlines():
        found = re.match(r"(bpcore(\d+)-\d+)\b", line)
        if found and not os.path.exists(f"/proc/{found[2]}"):
            _remove(found[1])


def _switch(devices, delay, bandwidth, parent):
    """Move packets until the parent ends: each leaves its sender's link, travels, and enters.

    A packet that finds the receiver's link free enters it while it still leaves the sender's.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with contextlib.suppress(OSError):  # Waiting ranks take every core; a switch waits for none.
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    leaving, entering = [0.0] * len(devices), [0.0] * len(devices)
    travelling, number = [], 0
    while os.getppid() == parent:
        wait = 1.0 if not travelling else max(0.0, travelling[0][0] - time.monotonic())
        for device in select.select(devices, [], [], wait)[0]:
            source = devices.index(device)
            packet = os.read(device, PACKET_BYTES)
            target = packet[19] - 1  # The last byte of an IPv4 packet's destination.
            if packet[0] >> 4 != 4 or not 0 <= target < len(devices):
                continue
            seconds = len(packet) / bandwidth
            leaving[source] = max(leaving[source], time.monotonic()) + seconds
            entering[target] = max(leaving[source] + delay, entering[target] + seconds)
            number += 1
            heapq.heappush(travelling, (entering[target], number, devices[target], packet))
        now = time.monotonic()
        while travelling and travelling[0][0] <= now:
            _, _, device, packet = heapq.heappop(travelling)
            os.write(device, packet)
