#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One TCP connection that carries bytes one way, on whatever stack runs this program.

usage: flow.py listen|connect ADDRESS PORT send|receive AMOUNT [CONGESTION]

AMOUNT is a number of bytes, or seconds such as 3s: then the receiver ends it. Prints one line of
JSON: bytes, seconds since the connection was made, SHA-256 of the bytes; or {"error": text}.
"""
import hashlib
import json
import random
import socket
import sys
import time

PATIENCE = 60


def connection(role, address, port, congestion):
    s = socket.socket()
    if congestion:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, congestion.encode())
    s.settimeout(PATIENCE)
    if role == "connect":
        s.connect((address, port))
        return s
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.listen(1)
    return s.accept()[0]


def send(s, limit, seconds):
    """All of it; or for longer than the receiver will wait."""
    block = random.Random(1).randbytes(1 << 18)
    h = hashlib.sha256()
    sent = 0
    s.settimeout(PATIENCE + (seconds or 0))
    try:
        while limit is None or sent < limit:
            part = block if limit is None else block[:limit - sent]
            s.sendall(part)
            h.update(part)
            sent += len(part)
        s.shutdown(socket.SHUT_WR)
        s.recv(1)  # the receiver has read everything
    except (BrokenPipeError, ConnectionResetError):
        if limit is not None:
            raise
    return sent, h


def receive(s, seconds):
    h = hashlib.sha256()
    got = 0
    end = time.monotonic() + (seconds or PATIENCE)
    while (left := end - time.monotonic()) > 0:
        s.settimeout(left)
        try:
            part = s.recv(1 << 18)
        except TimeoutError:
            break
        if not part:
            break
        got += len(part)
        h.update(part)
    return got, h


def main():
    role, address, port, what, amount = sys.argv[1:6]
    seconds = float(amount[:-1]) if amount.endswith("s") else None
    limit = None if seconds else int(amount)
    try:
        with connection(role, address, int(port), "".join(sys.argv[6:])) as s:
            begin = time.monotonic()
            n, h = send(s, limit, seconds) if what == "send" else receive(s, seconds)
            took = time.monotonic() - begin
        print(json.dumps({"bytes": n, "seconds": took, "sha256": h.hexdigest()}))
    except OSError as e:
        print(json.dumps({"error": str(e)}))


main()
