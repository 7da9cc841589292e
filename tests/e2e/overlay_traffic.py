# SPDX-License-Identifier: BSD-3-Clause
"""
What stations send each other in the overlay's tests: pings, a thousand flows at once, iperf3, and a stream of numbered datagrams that tells
what was lost, when, and for how long. Sockets are made in the stations' namespaces and served by this process.
"""
import json
import random
import selectors
import socket
import struct
import subprocess
import threading
import time

from overlay_lab import LIMIT_S, inside, run, wait_for

IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_MTU = 10, 2, 14
SO_RCVBUFFORCE = 33
IPV6_MTU_DISCOVER, IPV6_MTU = 23, 24
FRAG_NEEDED, TOO_BIG6 = (3, 4), (2, 0)


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def pings(netns, address, count=1, size=56, *more, wait_s=2):
    return run("ping", "-c", str(count), "-W", str(wait_s), "-i", "0.02", "-s", str(size), *more, address,
               netns=netns, check=False).returncode == 0


def reachable(netns, address, limit_s=LIMIT_S):
    wait_for(f"{address} from {netns}", lambda: pings(netns, address, wait_s=0.5), limit_s)


def fills(netns, address, mtu):
    """Whether packets of exactly this size get there and back in one piece, and one byte more is refused here."""
    header = 48 if ":" in address else 28
    return pings(netns, address, 2, mtu - header, "-M", "do")


def iperf(lab, server, client, address, *more):
    """Gb/s of TCP from client to server."""
    listener = lab.spawn("iperf3", "-s", "-1", netns=server, stdout=subprocess.DEVNULL)
    wait_for("iperf3", lambda: ":5201" in run("ss", "-Htln", netns=server).stdout)
    done = run("iperf3", "-c", address, "-J", *(more or ("-t", "1")), netns=client, check=False)
    listener.terminate()
    listener.wait(LIMIT_S)
    assert done.returncode == 0, done.stdout
    end = json.loads(done.stdout)["end"]
    assert end["sum_received"]["bytes"] > 100000, end
    return end["sum_received"]["bits_per_second"] / 1e9


class FrameSize:
    """The mean size of the frames that came in through a port meanwhile."""

    def __init__(self, host, port):
        self.host, self.port = host, port

    def __enter__(self):
        self.before = self.host.port(self.port)["rx"]
        return self

    def __exit__(self, *unused):
        after = self.host.port(self.port)["rx"]
        self.mean = (after["bytes"] - self.before["bytes"]) / max(1, after["pkts"] - self.before["pkts"])


class Flows:
    """Many TCP connections and UDP sockets at once to an echo server; all must get back exactly what they sent."""

    BYTES, DATAGRAM = 6000, 1200

    def __init__(self, server, client, address, n_tcp=500, n_udp=500):
        assert n_tcp == n_udp
        self.address, self.n_tcp, self.n_udp = address, n_tcp, n_udp
        self.selector = selectors.DefaultSelector()
        self.accepted, self.connected, self.done, self.resent = 0, 0, 0, 0
        self.sockets = []
        family = family_of(address)
        with inside(server):
            self.listener = self.socket(family, socket.SOCK_STREAM)
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind((address, 7777))
            self.listener.listen(1024)
            self.echo = self.socket(family, socket.SOCK_DGRAM)
            self.echo.bind((address, 7777))
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        self.selector.register(self.echo, selectors.EVENT_READ, self.echo_udp)
        with inside(client):
            self.clients = [self.socket(family, socket.SOCK_STREAM) for _ in range(n_tcp)]
            self.udp = [self.socket(family, socket.SOCK_DGRAM) for _ in range(n_udp)]

    def socket(self, family, kind):
        sock = socket.socket(family, kind)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 21 if kind == socket.SOCK_DGRAM else 1 << 16)
        self.sockets.append(sock)
        return sock

    def accept(self, _):
        while True:
            try:
                sock, _ = self.listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            self.sockets.append(sock)
            self.accepted += 1
            self.selector.register(sock, selectors.EVENT_READ, self.echo_tcp)

    def echo_tcp(self, sock):
        data = sock.recv(1 << 16)
        if not data:
            self.selector.unregister(sock)
            return
        assert sock.send(data) == len(data), "an echo did not fit into a socket's buffer"

    def echo_udp(self, sock):
        while True:
            try:
                data, sender = sock.recvfrom(1 << 16)
            except BlockingIOError:
                return
            sock.sendto(data, sender)

    def serve(self, until, limit_s=LIMIT_S, on_idle=None):
        end = time.monotonic() + limit_s
        while not until():
            ready = self.selector.select(0.2 if on_idle else 0.002)
            for key, _ in ready:
                key.data(key.fileobj)
            if not ready and on_idle:
                on_idle()
            assert time.monotonic() < end, (f"{self.done} of {self.n_tcp + self.n_udp} flows are done, "
                                            f"{self.connected} connected, {self.accepted} accepted")

    def run(self):
        """Return: how many datagrams had to be sent again."""
        try:
            return self.run_all()
        finally:
            for sock in self.sockets:
                sock.close()
            self.selector.close()

    def run_all(self):
        content = {sock: random.Random(i).randbytes(self.BYTES) for i, sock in enumerate(self.clients)}
        content.update({sock: random.Random(-i).randbytes(self.DATAGRAM) for i, sock in enumerate(self.udp)})
        got = {sock: b"" for sock in self.clients}
        waiting = set(self.udp)

        def connected(sock):
            self.selector.unregister(sock)
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            assert error == 0, f"connect: {error}"
            self.connected += 1

        def answered(sock):
            got[sock] += sock.recv(1 << 16)
            if len(got[sock]) >= self.BYTES:
                assert got[sock] == content[sock], "a TCP flow got back other bytes than it sent"
                self.selector.unregister(sock)
                self.done += 1

        def datagram(sock):
            data = sock.recv(1 << 16)
            assert data == content[sock], "a UDP flow got back another datagram than it sent"
            if sock in waiting:
                waiting.remove(sock)
                self.done += 1

        def send_again():
            for sock in waiting:
                sock.send(content[sock])
                self.resent += 1

        for sock in self.clients:
            sock.connect_ex((self.address, 7777))
            self.selector.register(sock, selectors.EVENT_WRITE, connected)
        for sock in self.udp:
            sock.connect((self.address, 7777))
        # All are open at the same time before the first byte is sent
        self.serve(lambda: self.connected == self.accepted == self.n_tcp)
        for i, sock in enumerate([s for pair in zip(self.clients, self.udp) for s in pair]):
            self.selector.register(sock, selectors.EVENT_READ, datagram if sock in waiting else answered)
            assert sock.send(content[sock]) == len(content[sock])
            if i % 64 == 63:  # no more at once than a station's own queue holds
                self.serve(lambda end=time.monotonic() + 0.002: time.monotonic() > end)
        self.serve(lambda: self.done == self.n_tcp + self.n_udp, on_idle=send_again)
        return self.resent


def thousand_flows(server, client, address):
    """All flows complete, whatever they carry; said: how many datagrams got lost on the way."""
    resent = Flows(server, client, address).run()
    return f"{resent} of 500 datagrams sent again" if resent else "none lost"


class Stream:
    """
    Numbered datagrams, one each millisecond or so, from one station to another that may be in several places. They belong to several
    flows in turn, so that some are on every path there is.
    """

    def __init__(self, sender, receivers, address, port=7000, interval_s=0.001, n_flows=8):
        self.address, self.port, self.interval_s = address, port, interval_s
        self.sent, self.got, self.stopping = [], {}, False
        self.errors = 0
        self.receivers = {}
        for netns in receivers if isinstance(receivers, (list, tuple)) else [receivers]:
            self.receive_in(netns)
        with inside(sender):
            self.outs = [socket.socket(family_of(address), socket.SOCK_DGRAM) for _ in range(n_flows)]
        for sock in self.outs:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self.threads = [threading.Thread(target=self.send, daemon=True)]
        self.threads += [threading.Thread(target=self.receive, args=(n,), daemon=True) for n in self.receivers]
        for thread in self.threads:
            thread.start()

    def receive_in(self, netns):
        with inside(netns):
            sock = self.receivers[netns] = socket.socket(family_of(self.address), socket.SOCK_DGRAM)
        # This process may have to wait for a core longer than an ordinary buffer lasts
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        sock.settimeout(0.1)
        sock.bind(("", self.port))
        self.got[netns] = []

    def send(self):
        while not self.stopping:
            try:
                out = self.outs[len(self.sent) % len(self.outs)]
                out.sendto(struct.pack("!I", len(self.sent)) + bytes(60), (self.address, self.port))
            except OSError:
                self.errors += 1  # what the sender itself refuses was never sent
            else:
                self.sent.append(time.monotonic())
            time.sleep(self.interval_s)

    def receive(self, netns):
        sock, got = self.receivers[netns], self.got[netns]
        while True:
            try:
                number = struct.unpack("!I", sock.recv(2048)[:4])[0]
            except (TimeoutError, BlockingIOError):
                if self.stopping:
                    return
                continue
            except OSError:
                return
            got.append((number, time.monotonic()))

    def flows(self, netns=None, n=20, limit_s=LIMIT_S):
        """Wait until n more have arrived, that is: until traffic flows."""
        got = self.got[netns or next(iter(self.got))]
        seen = len(got)
        wait_for("numbered datagrams", lambda: len(got) >= seen + n, limit_s)
        return len(self.sent)

    def stop(self):
        time.sleep(0.05)
        last = len(self.sent)
        end = time.monotonic() + 1
        while time.monotonic() < end and not any(g and g[-1][0] >= last - 1 for g in self.got.values()):
            time.sleep(0.01)
        self.stopping = True
        for thread in self.threads:
            thread.join()
        for sock in (*self.outs, *self.receivers.values()):
            sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if not self.stopping:
            self.stop()

    def numbers(self, netns=None):
        return [n for n, _ in self.got[netns or next(iter(self.got))]]

    def lost(self, begin=0, end=None, netns=None):
        """After stop(): how many of those sent from number begin on did not arrive."""
        there = set(self.numbers(netns))
        return sum(n not in there for n in range(begin, len(self.sent) if end is None else end))

    def twice(self, netns=None):
        numbers = self.numbers(netns)
        return len(numbers) - len(set(numbers))

    def gap_ms(self, begin=0, netns=None):
        """The longest time without an arrival, from that of number begin on."""
        times = [t for n, t in self.got[netns or next(iter(self.got))] if n >= begin]
        return max((b - a for a, b in zip(times, times[1:])), default=0) * 1000


class TooBig:
    """A station sends a datagram of a size that does not fit, with DF; what it is told, and what it then knows."""

    def __init__(self, netns, address):
        self.v6 = ":" in address
        with inside(netns):
            self.icmp = socket.socket(family_of(address), socket.SOCK_RAW,
                                      socket.IPPROTO_ICMPV6 if self.v6 else socket.IPPROTO_ICMP)
            self.udp = socket.socket(family_of(address), socket.SOCK_DGRAM)
        self.icmp.settimeout(1)
        self.udp.setsockopt(socket.IPPROTO_IPV6 if self.v6 else socket.IPPROTO_IP,
                            IPV6_MTU_DISCOVER if self.v6 else IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        self.udp.connect((address, 9))

    def mtu(self):
        return self.udp.getsockopt(socket.IPPROTO_IPV6 if self.v6 else socket.IPPROTO_IP,
                                   IPV6_MTU if self.v6 else IP_MTU)

    def close(self):
        self.icmp.close()
        self.udp.close()

    def told(self):
        """The next answer: (mtu, destination of the packet that is quoted)."""
        while True:
            packet = self.icmp.recv(2048)
            if self.v6 and (packet[0], packet[1]) == TOO_BIG6:
                return struct.unpack("!I", packet[4:8])[0], socket.inet_ntop(socket.AF_INET6, packet[8 + 24:8 + 40])
            icmp = packet[(packet[0] & 15) * 4:]
            if not self.v6 and (icmp[0], icmp[1]) == FRAG_NEEDED:
                return struct.unpack("!H", icmp[6:8])[0], socket.inet_ntop(socket.AF_INET, icmp[8 + 16:8 + 20])


def too_big_is_told(netns, address, mtu, own_mtu=1500):
    """A datagram as large as the station's own MTU is answered with the tunnel's, and the station's kernel learns it."""
    asked = TooBig(netns, address)
    try:
        assert asked.mtu() == own_mtu, asked.mtu()
        end = time.monotonic() + LIMIT_S
        while True:
            try:
                asked.udp.send(bytes(own_mtu - (48 if asked.v6 else 28)))
            except OSError:
                pass  # EMSGSIZE: it has learned; ECONNREFUSED: nobody listens there
            try:
                told, whose = asked.told()
                break
            except TimeoutError:
                assert time.monotonic() < end, "nobody answered that the packet is too big"
        assert (told, whose) == (mtu, address), (told, whose)
        wait_for("the path's MTU to be known", lambda: asked.mtu() == mtu)
    finally:
        asked.close()
