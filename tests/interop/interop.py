# SPDX-License-Identifier: Apache-2.0
"""What the tests with real programs and real peers share.

A test waits for conditions and never for time; it finds free ports; whatever happens, its processes
end and its files go: every process it starts dies with it, carries a mark in its environment by
which leftovers are found, and works in a directory that is removed.
"""
import atexit
import ctypes
import hashlib
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.environ.get("WEIR_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
WEIR = os.environ.get("WEIR") or os.path.join(ROOT, "build", "gcc", "src", "weir")
PYTHON = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
PATIENCE = 20  # seconds for what should take a moment, on a busy machine
MARK = "WEIR_TEST_MARK=%d.%d" % (os.getpid(), time.time_ns())
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None)
_alive = []
_count = {"n": 0}


def ok(good, what, *detail):
    """One TAP line; the details only when it failed."""
    _count["n"] += 1
    print("%s %d - %s" % ("ok" if good else "not ok", _count["n"], what))
    if not good:
        for d in detail:
            for line in str(d).splitlines()[:40]:
                print("#   " + line)
    sys.stdout.flush()
    return good


def skip(what, why):
    _count["n"] += 1
    print("ok %d - %s # SKIP %s" % (_count["n"], what, why), flush=True)


def skip_all(what, why):
    skip(what, why)
    sys.exit(0)


def until(condition, seconds=PATIENCE):
    """The condition's first true value, or its last false one when patience ends."""
    end = time.monotonic() + seconds
    pause = 0.002
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


# ---- files -----------------------------------------------------------------------------------

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup's children would not end by it
DIR = tempfile.mkdtemp(prefix="interop-")
os.chmod(DIR, 0o755)  # ordinary users look in
atexit.register(lambda: shutil.rmtree(DIR, ignore_errors=True))


def path(*parts):
    return os.path.join(DIR, *parts)


def make_file(name, size):
    """A file that is the same in every run and cannot be compressed; its SHA-256."""
    data = random.Random(name).randbytes(size)
    os.makedirs(os.path.dirname(path(name)), exist_ok=True)
    with open(path(name), "wb") as f:
        f.write(data)
    os.chmod(path(name), 0o644)
    return hashlib.sha256(data).hexdigest()


def sha256(name):
    """Of a file or of bytes; a file that is not there has none."""
    if isinstance(name, bytes):
        return hashlib.sha256(name).hexdigest()
    h = hashlib.sha256()
    try:
        with open(path(name), "rb") as f:
            while block := f.read(1 << 20):
                h.update(block)
    except FileNotFoundError:
        return None
    return h.hexdigest()


def text(name):
    with open(path(name), errors="replace") as f:
        return f.read()


# ---- processes -------------------------------------------------------------------------------

def environment(**changes):
    env = dict(os.environ, TMPDIR=DIR)
    name, value = MARK.split("=")
    env[name] = value
    env.update(changes)
    return {k: v for k, v in env.items() if v is not None}


def _in_child():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Proc:
    """A process in a session of its own, output in files; stop() ends all that is left of it."""

    serial = 0
    all = []

    def __init__(self, argv, stdin=None, out=None, **env):
        Proc.serial += 1
        self.argv = argv
        self.out_name = out or "proc%d.out" % Proc.serial
        self.err_name = "proc%d.err" % Proc.serial
        with open(path(self.out_name), "wb") as o, open(path(self.err_name), "wb") as e:
            self.child = subprocess.Popen(
                argv, stdin=stdin if stdin is not None else subprocess.DEVNULL, stdout=o, stderr=e,
                env=environment(**env), start_new_session=True, preexec_fn=_in_child, cwd=DIR)
        self.pid = self.child.pid
        _alive.append(self)
        Proc.all.append(self)

    out = property(lambda self: text(self.out_name))
    err = property(lambda self: text(self.err_name))

    def status(self, seconds=PATIENCE):
        """Exit status, -SIGNAL, or None while it runs."""
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self, sig=signal.SIGTERM):
        self.child.send_signal(sig)

    def stop(self, seconds=5):
        """Asks it to end, then insists. Its status, None if it had to be forced."""
        if self in _alive:
            _alive.remove(self)
        self.child.terminate()
        status = self.status(seconds)
        for end in (lambda: os.killpg(self.pid, signal.SIGKILL), self.child.wait):
            try:
                end()
            except ProcessLookupError:
                pass
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Ran:
    """A program that ran to its end, or was ended when patience was over (status None)."""

    def __init__(self, argv, stdin=b"", seconds=PATIENCE, **env):
        with tempfile.TemporaryFile() as i:
            i.write(stdin)
            i.seek(0)
            p = Proc(argv, stdin=i, **env)
        self.argv = argv
        self.status = p.status(seconds)
        p.stop(1)
        with open(path(p.out_name), "rb") as f:
            self.bytes = f.read()
        self.out = self.bytes.decode("utf-8", "replace")
        self.err = p.err

    def __str__(self):
        return "%s\nstatus %s\n%s\n%s" % (" ".join(self.argv), self.status, self.out[-1500:],
                                           self.err[-1500:])


def _end_all():
    for p in list(_alive):
        p.stop(1)


atexit.register(_end_all)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
signal.signal(signal.SIGINT, lambda *_: sys.exit(1))


def marked():
    """Processes of this test that still live, this one excepted."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/environ" % pid, "rb") as f:
                is_ours = MARK.encode() in f.read().split(b"\0")
            with open("/proc/%s/stat" % pid) as f:
                state = f.read().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if is_ours and state not in "ZX":
            found.append(int(pid))
    return found


def children(pid):
    """Processes whose parent is pid."""
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(x) for x in f.read().split()]
    except OSError:
        return []


def cpu(pid):
    """(ticks of CPU time, times it went to sleep by itself) since it started."""
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rpartition(")")[2].split()
    with open("/proc/%d/status" % pid) as f:
        switches = int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", f.read(), re.M).group(1))
    return int(fields[11]) + int(fields[12]), switches


# ---- the network -----------------------------------------------------------------------------

def free_port(address="127.0.0.1"):
    with socket.socket() as s:
        s.bind((address, 0))
        return s.getsockname()[1]


def answers(address, port, source=None):
    """Whether somebody takes a connection there."""
    with socket.socket() as s:
        s.settimeout(2)
        try:
            s.connect((address, port))
        except OSError:
            return False
        return True


def weir(*argv):
    return [WEIR, "run"] + list(argv)


def http_server(directory, port, address="127.0.0.1"):
    """A python http.server on the kernel, answering when this returns."""
    p = Proc([PYTHON, "-m", "http.server", "--bind", address, "--directory", directory, str(port)])
    if not until(lambda: answers(address, port)):
        raise RuntimeError("the http.server does not start: " + p.err)
    return p


def nginx_conf(name, listen, directory, workers=1, more=""):
    """Writes a configuration that touches nothing outside the test's directory; its path."""
    with open(path(name), "w") as f:
        f.write("""%sworker_processes %d; pid %s.pid; error_log %s.log;
events { worker_connections 512; }
http {
  access_log off; sendfile on; keepalive_timeout 5; client_max_body_size 100m;
  client_body_temp_path %s.tmp; proxy_temp_path %s.tmp; fastcgi_temp_path %s.tmp;
  uwsgi_temp_path %s.tmp; scgi_temp_path %s.tmp;
  server { listen %s; root %s; %s }
}
""" % ("user root; " if os.getuid() == 0 else "", workers, *[path(name)] * 7, listen, directory, more))
    return path(name)


def nginx(conf):
    """A kernel nginx on the addresses of conf."""
    return Proc(["nginx", "-e", conf + ".log", "-c", conf, "-g", "daemon off;"])


def checksum16(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data[:len(data) & ~1]))
    total += data[-1] << 8 if len(data) % 2 else 0
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ping(address, size=56, count=3, seconds=5):
    """Echo requests from the kernel (root only): how many came back whole and unchanged."""
    good = 0
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        for seq in range(count):
            body = random.Random(seq).randbytes(size)
            ident = os.getpid() & 0xffff
            head = struct.pack("!BBHHH", 8, 0, 0, ident, seq)
            request = struct.pack("!BBHHH", 8, 0, checksum16(head + body), ident, seq) + body
            s.sendto(request, (address, 0))
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                s.settimeout(left)
                try:
                    got = s.recv(70000)
                except TimeoutError:
                    break
                icmp = got[(got[0] & 15) * 4:]
                if icmp[0] == 0 and icmp[4:8] == request[4:8]:
                    good += icmp[8:] == body and checksum16(icmp) == 0
                    break
    return good


def parallel(jobs):
    """Runs callables at once, returns their results in order."""
    results = [None] * len(jobs)

    def work(i):
        results[i] = jobs[i]()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(jobs))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results
