# SPDX-License-Identifier: Apache-2.0
"""Two hosts joined by `weir link`, for tests and bench/interop.

    far namespace: the kernel          this namespace
      10.80.0.1  wa ══ weir link ══ wb ── bridge br0 10.80.0.2: the kernel
                                               └── ww: `weir run`, 10.80.0.3

The kernel and weir on this side send through the same bridge, the same interface and the same link;
they differ in nothing but the stack. Import it inside a network namespace of one's own (own()).
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import interop as t
from interop import Proc, Ran

FAR, KERNEL, WEIR = "10.80.0.1", "10.80.0.2", "10.80.0.3"
FLOW = os.path.join(os.path.dirname(os.path.abspath(__file__)), "flow.py")
INSIDE = "WEIR_LINKED_NAMESPACE"


def own():
    """Begins this program again in a new network namespace; a reason why not, or None inside."""
    lacking = [p for p in ("unshare", "nsenter", "ip") if not shutil.which(p)]
    if os.getuid() != 0:
        return "needs root for network namespaces"
    if lacking or not os.path.exists("/dev/net/tun"):
        return "needs %s" % ", ".join(lacking or ["/dev/net/tun"])
    here = os.readlink("/proc/self/ns/net")
    if INSIDE not in os.environ:
        if subprocess.run(["unshare", "-n", "true"], stderr=subprocess.DEVNULL).returncode != 0:
            return "needs network namespaces"
        os.environ[INSIDE] = here
        os.execvp("unshare", ["unshare", "-n", sys.executable] + sys.argv)
    return "needs network namespaces" if os.environ[INSIDE] == here else None


def ip(*argv, inside=()):
    subprocess.run(list(inside) + ["ip"] + list(argv), check=True)


def sysctl(name, value, inside=()):
    """A setting of a namespace; one that this kernel does not have stays as it is."""
    subprocess.run(list(inside) + ["sh", "-c", "echo %s > /proc/sys/net/%s" % (value, name)],
                   stderr=subprocess.DEVNULL)


class Hosts:
    """Both namespaces with their interfaces; link() joins them."""

    def __init__(self, settings=()):
        self.settings = settings
        self.peer = Proc(["unshare", "-n", "sleep", "infinity"])
        here = os.readlink("/proc/self/ns/net")
        t.until(lambda: os.readlink("/proc/%d/ns/net" % self.peer.pid) != here)
        self.far = ["nsenter", "-t", str(self.peer.pid), "-n"]
        self.netns = "/proc/%d/ns/net" % self.peer.pid
        for side in ((), self.far):
            # No chatter and no memory of earlier connections: a run depends on its seed alone.
            sysctl("ipv6/conf/default/disable_ipv6", 1, side)
            sysctl("ipv4/tcp_no_metrics_save", 1, side)
            ip("link", "set", "lo", "up", inside=side)
        ip("link", "add", "br0", "type", "bridge", "forward_delay", "0")
        ip("addr", "add", KERNEL + "/24", "dev", "br0")
        ip("link", "set", "br0", "up")
        for name in ("wb", "ww"):
            ip("tuntap", "add", "dev", name, "mode", "tap")
            ip("link", "set", name, "master", "br0", "up")
        ip("tuntap", "add", "dev", "wa", "mode", "tap", inside=self.far)
        ip("addr", "add", FAR + "/24", "dev", "wa", inside=self.far)
        ip("link", "set", "wa", "up", inside=self.far)

    def link(self, *words):
        return Link(["--a", "tap:wb", "--b", "tap:wa@" + self.netns] + list(words))

    def listens(self, port):
        """Whether the far kernel listens there: a look that sends nothing over the link."""
        ran = subprocess.run(self.far + ["cat", "/proc/net/tcp"], capture_output=True, text=True)
        return any(line.split()[1].endswith(":%04X" % port) and line.split()[3] == "0A"
                   for line in ran.stdout.splitlines()[1:])

    def carry(self, stack, what, amount, congestion="", port=7000, seconds=60, far=None):
        """A flow between this side's `stack` ("weir" or "kernel") and the far kernel; `what` is
        what this side does; `far`: the far kernel's congestion control, where it is another.
        ({...} of this side, {...} of the far side), as flow.py prints."""
        far_does = "receive" if what == "send" else "send"
        words = [FAR, str(port)]
        server = [t.PYTHON, FLOW, "listen"] + words + [far_does, amount,
                                                       congestion if far is None else far]
        client = [t.PYTHON, FLOW, "connect"] + words + [what, amount, congestion]
        if stack == "weir":
            words = [w for s in self.settings for w in ("--set", s)] + ["--"]
            client = [t.WEIR, "run", "--net", "tap:ww", "--addr", WEIR + "/24"] + words + client
        with Proc(self.far + server) as there:
            if not t.until(lambda: self.listens(port)):
                return {"error": "nobody listens: " + there.err}, {}
            near = Ran(client, seconds=seconds)
            there.status(seconds)
            return result(near.out, near.err), result(there.out, there.err)


def result(out, err):
    try:
        return json.loads(out.splitlines()[-1])
    except (ValueError, IndexError):
        return {"error": (err.strip() or "no result").splitlines()[-1]}


class Link:
    """A running `weir link`, joined when this returns (or ended: see err)."""

    def __init__(self, words):
        self.proc = Proc([t.WEIR, "link"] + words)
        t.until(lambda: "are joined" in self.proc.err or self.proc.status(0) is not None)

    err = property(lambda self: self.proc.err)

    def counts(self):
        """The counters it prints for SIGUSR1: one dictionary a direction, a to b first."""
        before = self.err.count("weir link: after")
        self.proc.kill(signal.SIGUSR1)
        t.until(lambda: len(self._tables()) > before)
        return self._tables()[-1]

    def _tables(self):
        """Every complete table printed so far."""
        tables = []
        for text in self.err.split("weir link: after")[1:]:
            ways = re.split(r"^\S+ > \S+$", text, flags=re.M)[1:]
            if len(ways) == 2 and text.endswith("\n") and "  bytes" in ways[1]:
                tables.append([{m[0].strip(): int(m[1]) for m in
                                re.findall(r"^  (.*?) +(\d+)$", way, re.M)} for way in ways])
        return tables

    def stop(self):
        """Its exit status and last counters."""
        status = self.proc.stop()
        return status, (self._tables() or [[{}, {}]])[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proc.stop()
