"""The network half of the shim: DNS and connections for programs that have never heard of proxies.

One file, standard library only, loaded by `shim.py` in sandboxes that have a gateway. It answers DNS on
127.0.0.1:53, gives each name that the gateway allows a loopback address of its own, listens there on the ports that
the gateway names, and carries what connects over the gateway's Unix socket. It decides nothing: the gateway decides
again at every connection, and whoever in the sandbox speaks to that socket directly gains nothing by it. To it goes

    LOOKUP name             answered by `PORTS 80,443` or `NO reason`; many on one connection
    CONNECT name:port       answered by `OK`, then bytes both ways, each ended by itself; or by `NO reason` and the end

The loop is our own: importing asyncio would take longer than all the rest of a sandbox's start.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import os
import re
import resource
import select
import signal
import socket
import struct
import time

TYPE_CHECKING = False  # as in typing, whose import costs milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable

# --- DNS: pure functions over hostile bytes -----------------------------------------------------------------------

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP = range(5)
TYPE_A = 1
TYPE_OPT = 41
CLASS_IN = 1
TTL = 5
"""Seconds for which a program may keep an answer, and for which the gateway's word on a name is kept here."""
EDNS_SIZE = 1232
MAX_MESSAGE = 4096
LABEL = re.compile(rb"[a-z0-9_-]+")
PORTS_LINE = re.compile(r"PORTS ([0-9]{1,5}(?:,[0-9]{1,5})*)")


class Query:
    """One question as it came. `name` is empty where no name of a host is asked for: nobody has to be asked then."""

    __slots__ = ("edns", "fault", "flags", "id", "kind", "name", "question")

    def __init__(self, identifier: int, flags: int) -> None:
        self.id = identifier
        self.flags = flags
        self.question = b""
        self.name = ""
        self.kind = 0
        self.edns = False
        self.fault = NOERROR


def parse_query(packet: bytes) -> Query | None:
    """What a packet asks, its `fault` set where it cannot be understood; None for what deserves no answer at all."""
    if len(packet) < 12:
        return None
    identifier, flags, questions, answers, authorities, additional = struct.unpack_from("!6H", packet)
    if flags & 0x8000:
        return None  # an answer; to answer it would make two resolvers talk for ever
    query = Query(identifier, flags)
    if flags & 0x7800:
        query.fault = NOTIMP
        return query
    try:
        if (questions, answers, authorities) != (1, 0, 0) or additional > 1:
            raise ValueError("not one question")
        labels, end = read_name(packet, 12)
        query.kind, class_ = struct.unpack_from("!HH", packet, end)
        query.edns = read_options(packet, end + 4, additional)
    except (ValueError, struct.error):
        query.fault = FORMERR
        return query
    query.question = packet[12 : end + 4]
    query.name = host_name(labels) if class_ == CLASS_IN else ""
    return query


def read_name(packet: bytes, at: int) -> tuple[list[bytes], int]:
    """Labels, and where the name ends. A question has nothing before it that a pointer could point to."""
    labels: list[bytes] = []
    start = at
    while True:
        if at >= len(packet):
            raise ValueError("the name has no end")
        size = packet[at]
        if size == 0:
            return labels, at + 1
        at += 1 + size
        if size > 63 or at > len(packet) or at - start >= 255:
            raise ValueError("no label, or too many")
        labels.append(packet[at - size : at])


def read_options(packet: bytes, at: int, additional: int) -> bool:
    """Whether the one record that may follow the question is there: EDNS options, to the last byte of the packet."""
    if not additional:
        if at != len(packet):
            raise ValueError("bytes after the question")
        return False
    root, kind, _size, _flags, length = struct.unpack_from("!BHHIH", packet, at)
    if root or kind != TYPE_OPT or at + 11 + length != len(packet):
        raise ValueError("no options")
    return True


def host_name(labels: list[bytes]) -> str:
    """A name that the gateway can be asked for, in small letters; empty for reverse names and for what is no host's."""
    small = [label.lower() for label in labels]
    if not small or small[-1] == b"arpa" or not all(LABEL.fullmatch(label) for label in small):
        return ""
    return b".".join(small).decode("ascii")


def answer(query: Query, rcode: int, address: str = "") -> bytes:
    """The answer: the question to the letter (programs check its case), at most one address, no name but the asked."""
    flags = 0x8080 | query.flags & 0x7910 | rcode
    header = struct.pack("!6H", query.id, flags, bool(query.question), bool(address), 0, query.edns)
    record = b""
    if address:  # 0xc00c points to the question's name
        record = struct.pack("!HHHIH4s", 0xC00C, TYPE_A, CLASS_IN, TTL, 4, socket.inet_aton(address))
    options = struct.pack("!BHHIH", 0, TYPE_OPT, EDNS_SIZE, 0, 0) if query.edns else b""
    return header + query.question + record + options


def question(name: str, kind: int = TYPE_A) -> bytes:
    """A packet that asks for a name."""
    labels = b"".join(struct.pack("!B", len(label)) + label for label in name.encode("ascii").split(b"."))
    return struct.pack("!6H", 0x5044, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, kind, CLASS_IN)


def parse_ports(line: str) -> list[int] | None:
    """The gateway's word on a name: its ports, none for a denied one; None for what is no word of a gateway."""
    if line == "NO" or line.startswith("NO "):
        return []
    match = PORTS_LINE.fullmatch(line)
    ports = sorted({int(port) for port in match.group(1).split(",")}) if match else []
    return ports if ports and ports[0] >= 1 and ports[-1] <= 65535 else None


def address_of(number: int) -> str:
    """The loopback address of the n-th name, from 1."""
    return f"127.77.{number >> 8}.{number & 255}"


# --- the loop -----------------------------------------------------------------------------------------------------

RESOLVER = ("127.0.0.1", 53)
BACKLOG = 4096
MAX_NAMES = 4096
MAX_ASKED = 1024
"""Questions that wait for the gateway's word at one time."""
MAX_DNS_CONNECTIONS = 256
MAX_LINE = 512
LOOKUP_SECONDS = 10.0
CONNECT_SECONDS = 120.0
DNS_IDLE_SECONDS = 15.0
RETRY_SECONDS = 0.01
CHUNK = 256 * 1024
SMALL_CHUNK = 16 * 1024
MAX_HELD = 64 * 1024 * 1024
"""Bytes that wait here for slow readers; beyond, tunnels move in small pieces, so that memory stays bounded."""
ROUNDS = 8
"""Pieces that one direction may move before the others have their turn."""
READS = select.EPOLLIN | select.EPOLLPRI | select.EPOLLRDHUP | select.EPOLLET
EDGES = READS | select.EPOLLOUT
PLAIN = select.EPOLLIN | select.EPOLLOUT
"""Events after which a short read has taken all there was: no end, no urgent byte, which stops a read too."""
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Loop:
    """Who is called when a descriptor is ready. Sockets close after a round, so that no late event meets a new one."""

    def __init__(self) -> None:
        self.poll = select.epoll()
        self.handlers: dict[int, Callable[[int], None]] = {}
        self.closing: list[socket.socket] = []
        self.again: collections.deque[Callable[[], None]] = collections.deque()
        """Has more to do at once."""
        self.later: collections.deque[Callable[[], None]] = collections.deque()
        """Met a full backlog and tries again soon."""

    def add(self, sock: socket.socket, events: int, handler: Callable[[int], None]) -> None:
        """Call `handler` with the events of a socket."""
        self.handlers[sock.fileno()] = handler
        self.poll.register(sock.fileno(), events)

    def change(self, sock: socket.socket, events: int, handler: Callable[[int], None] | None = None) -> None:
        """Wait for other events, with another handler if given; with EPOLLET, be told of the present state anew."""
        self.poll.modify(sock.fileno(), events)
        if handler is not None:
            self.handlers[sock.fileno()] = handler

    def drop(self, sock: socket.socket, *, reset: bool = False) -> None:
        """Close a socket; a TCP one with a reset where the other side has to see that something went wrong."""
        if self.handlers.pop(sock.fileno(), None) is not None:
            self.poll.unregister(sock.fileno())
        if reset:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.closing.append(sock)

    def step(self, seconds: float) -> None:
        """Wait for events at most that long (for ever below 0), and serve them."""
        seconds = 0.0 if self.again else RETRY_SECONDS if self.later else seconds
        for descriptor, events in self.poll.poll(seconds, 256):
            handler = self.handlers.get(descriptor)
            if handler is not None:
                handler(events)
        for waiting in (self.again, self.later):
            for _ in range(len(waiting)):
                waiting.popleft()()
        for sock in self.closing:
            sock.close()
        self.closing.clear()


def reach(path: str) -> socket.socket:
    """A connection to the gateway. Raises BlockingIOError while its backlog is full, OSError when it is gone."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    return sock


class Lookups:
    """The gateway's word on names: one connection, answers in the order of the questions; no word is the empty line."""

    def __init__(self, loop: Loop, path: str) -> None:
        self.loop = loop
        self.path = path
        self.socket: socket.socket | None = None
        self.asked: collections.deque[tuple[float, Callable[[str], None]]] = collections.deque()
        self.unsent = b""
        self.received = b""

    def ask(self, name: str, then: Callable[[str], None]) -> None:
        """Call `then` with the gateway's line on a name."""
        self.asked.append((time.monotonic(), then))
        idle = not self.unsent
        self.unsent += b"LOOKUP %s\n" % name.encode("ascii")
        if idle:
            self.send()

    def send(self) -> None:
        """Send what is unsent, as far as it goes."""
        try:
            if self.unsent and self.socket is None:
                self.socket = reach(self.path)
                self.loop.add(self.socket, EDGES, self.ready)
        except BlockingIOError:
            self.loop.later.append(self.send)
            return
        except OSError:
            self.fail()
            return
        try:
            while self.unsent and self.socket is not None:
                self.unsent = self.unsent[self.socket.send(self.unsent) :]
        except BlockingIOError:
            return
        except OSError:
            self.fail()

    def ready(self, _events: int) -> None:
        """Take what the gateway said."""
        try:
            while self.socket is not None:
                piece = self.socket.recv(65536)
                if not piece:
                    raise ConnectionError
                self.take(piece)
        except BlockingIOError:
            self.send()
        except OSError:
            self.fail()

    def take(self, piece: bytes) -> None:
        """Hand each line to whoever asked."""
        *lines, self.received = (self.received + piece).split(b"\n")
        if len(lines) > len(self.asked) or len(self.received) > MAX_LINE:
            raise ConnectionError
        for line in lines:
            self.asked.popleft()[1](line.decode("ascii", "replace"))

    def fail(self) -> None:
        """The gateway is not there, or is none; the next question tries anew."""
        if self.socket is not None:
            self.loop.drop(self.socket)
        asked, self.asked = self.asked, collections.deque()
        self.socket, self.unsent, self.received = None, b"", b""
        for _, then in asked:
            then("")

    def sweep(self, now: float) -> None:
        """Wait no longer for a gateway that says nothing."""
        if self.asked and self.asked[0][0] < now - LOOKUP_SECONDS:
            self.fail()


# --- names and their addresses ------------------------------------------------------------------------------------


class Names:
    """Which name has which address, and who listens there. A name keeps its address until the sandbox ends."""

    def __init__(self, loop: Loop, lookups: Lookups, tunnels: Tunnels, max_listeners: int) -> None:
        self.loop = loop
        self.lookups = lookups
        self.tunnels = tunnels
        self.max_listeners = max_listeners
        self.addresses: dict[str, str] = {}
        self.listening: set[tuple[str, int]] = set()
        self.known: dict[str, tuple[float, int]] = {}
        """What the gateway said lately: until when it counts, and the code of the answer."""
        self.waiting: dict[str, list[Callable[[int, str], None]]] = {}
        self.waiters = 0

    def find(self, name: str, then: Callable[[int, str], None]) -> None:
        """Call `then` with the code and the address for a name."""
        until, rcode = self.known.get(name, (0.0, 0))
        if until > time.monotonic():
            then(rcode, self.addresses.get(name, "") if rcode == NOERROR else "")
        elif self.waiters >= MAX_ASKED:
            then(SERVFAIL, "")
        else:
            self.waiters += 1
            others = self.waiting.setdefault(name, [])
            others.append(then)
            if len(others) == 1:
                self.lookups.ask(name, lambda line: self.told(name, line))

    def told(self, name: str, line: str) -> None:
        """The gateway has spoken of a name."""
        ports = parse_ports(line)
        rcode = SERVFAIL if ports is None else NXDOMAIN if not ports else self.open(name, ports)
        if ports is not None:
            self.known.pop(name, None)
            if len(self.known) >= MAX_NAMES:
                del self.known[next(iter(self.known))]
            self.known[name] = (time.monotonic() + TTL, rcode)
        address = self.addresses.get(name, "") if rcode == NOERROR else ""
        waiting = self.waiting.pop(name, [])
        self.waiters -= len(waiting)
        for then in waiting:
            then(rcode, address)

    def open(self, name: str, ports: list[int]) -> int:
        """Listen for a name on its ports; SERVFAIL where no port could be had."""
        if name not in self.addresses:
            if len(self.addresses) >= MAX_NAMES:
                return SERVFAIL
            self.addresses[name] = address_of(len(self.addresses) + 1)
        found = [self.listen(name, port) for port in ports if (name, port) not in self.listening]
        return SERVFAIL if found and not any(found) and len(found) == len(ports) else NOERROR

    def listen(self, name: str, port: int) -> bool:
        """Whether the port is ours: a program of the agent may listen there on all addresses already."""
        if len(self.listening) >= self.max_listeners:
            return False
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            # No SO_REUSEADDR, here and at port 53: nobody else shall be able to bind what is ours.
            listener.bind((self.addresses[name], port))
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            return False
        listener.setblocking(False)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        destination = b"CONNECT %s:%d\n" % (name.encode("ascii"), port)
        self.loop.add(listener, select.EPOLLIN, lambda _events: self.tunnels.accept(listener, destination))
        self.listening.add((name, port))
        return True


class Resolver:
    """DNS on 127.0.0.1:53, over UDP and TCP."""

    def __init__(self, loop: Loop, names: Names) -> None:
        self.loop = loop
        self.names = names
        self.connections: dict[DnsConnection, float] = {}
        """Since when each waits for its next question, or for an answer."""
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)

    def open(self) -> None:
        """Bind both. Raises OSError."""
        self.udp.bind(RESOLVER)
        self.tcp.bind(RESOLVER)
        self.tcp.listen(BACKLOG)
        for sock, handler in ((self.udp, self.packets), (self.tcp, self.accept)):
            sock.setblocking(False)
            self.loop.add(sock, select.EPOLLIN, handler)

    def resolve(self, packet: bytes, reply: Callable[[bytes], None]) -> bool:
        """Call `reply` with the answer; False where none is due."""
        query = parse_query(packet)
        if query is None:
            return False
        asked = query
        if asked.fault or not asked.name:
            reply(answer(asked, asked.fault or NXDOMAIN))
        else:
            self.names.find(
                asked.name,
                lambda rcode, address: reply(answer(asked, rcode, address if asked.kind == TYPE_A else "")),
            )
        return True

    def packets(self, _events: int) -> None:
        """Serve what came over UDP; an answer that nobody can take is lost, as UDP has it."""
        with contextlib.suppress(OSError):
            for _ in range(64):
                packet, sender = self.udp.recvfrom(MAX_MESSAGE)
                self.resolve(packet, lambda reply, sender=sender: self.send(reply, sender))  # type: ignore[misc]

    def send(self, reply: bytes, receiver: tuple[str, int]) -> None:
        """One answer over UDP."""
        with contextlib.suppress(OSError):
            self.udp.sendto(reply, receiver)

    def accept(self, _events: int) -> None:
        """Take connections, but for more than a program can need."""
        with contextlib.suppress(OSError):
            for _ in range(64):
                sock, _ = self.tcp.accept()
                if len(self.connections) >= MAX_DNS_CONNECTIONS:
                    self.loop.drop(sock, reset=True)
                    continue
                sock.setblocking(False)
                self.connections[DnsConnection(self, sock)] = time.monotonic()

    def sweep(self, now: float) -> None:
        """Close what has been silent for long."""
        for connection in [found for found, since in self.connections.items() if since < now - DNS_IDLE_SECONDS]:
            connection.close()


class DnsConnection:
    """DNS over TCP: one question after the other; nothing is read while an answer is due."""

    def __init__(self, resolver: Resolver, sock: socket.socket) -> None:
        self.resolver = resolver
        self.socket = sock
        self.received = b""
        self.busy = False
        self.closed = False
        resolver.loop.add(sock, select.EPOLLIN, self.ready)

    def ready(self, events: int) -> None:
        """Read, unless an answer is due: only an end can be reported then."""
        try:
            piece = b"" if self.busy else self.socket.recv(MAX_MESSAGE)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece or events & select.EPOLLERR:
            self.close()
            return
        self.received += piece
        self.serve()

    def serve(self) -> None:
        """Ask for what has come whole."""
        while not self.busy and not self.closed and len(self.received) >= 2:
            size = struct.unpack_from("!H", self.received)[0]
            if size > MAX_MESSAGE:
                self.close()
                return
            if len(self.received) < 2 + size:
                return
            packet, self.received = self.received[2 : 2 + size], self.received[2 + size :]
            self.busy = True
            if not self.resolver.resolve(packet, self.reply):
                self.close()
        if self.busy and not self.closed:
            self.resolver.loop.change(self.socket, 0)

    def reply(self, packet: bytes) -> None:
        """One answer. Whoever does not read the answers is hung up on."""
        if self.closed:
            return
        data = struct.pack("!H", len(packet)) + packet
        try:
            if self.socket.send(data) < len(data):
                raise ConnectionError
        except OSError:
            self.close()
            return
        self.busy = False
        self.resolver.connections[self] = time.monotonic()
        self.resolver.loop.change(self.socket, select.EPOLLIN)
        if self.received:
            self.resolver.loop.again.append(self.serve)

    def close(self) -> None:
        """Hang up."""
        if not self.closed:
            self.closed = True
            del self.resolver.connections[self]
            self.resolver.loop.drop(self.socket)


# --- tunnels ------------------------------------------------------------------------------------------------------


class Flow:
    """One direction of a tunnel, from `source` to `target`; nothing is read while something is held."""

    __slots__ = ("ended", "held", "source", "target")

    def __init__(self, source: socket.socket, target: socket.socket) -> None:
        self.source = source
        self.target = target
        self.held: bytes | memoryview = b""
        self.ended = False

    def finished(self) -> bool:
        """Whether nothing more will go this way."""
        return self.ended and not self.held


class Tunnels:
    """All connections of the sandbox, and the one buffer that they share."""

    def __init__(self, loop: Loop, path: str, maximum: int) -> None:
        self.loop = loop
        self.path = path
        self.maximum = maximum
        self.open: set[Tunnel] = set()
        self.pending: dict[Tunnel, float] = {}
        """Since when each waits for the gateway's word."""
        self.buffer = memoryview(bytearray(CHUNK))
        self.held = 0

    def accept(self, listener: socket.socket, destination: bytes) -> None:
        """Take connections, each with its own to the gateway."""
        with contextlib.suppress(OSError):
            for _ in range(64):
                client, _ = listener.accept()
                if len(self.open) >= self.maximum:
                    self.loop.drop(client, reset=True)
                    continue
                client.setblocking(False)
                tunnel = Tunnel(self, client, destination)
                self.open.add(tunnel)
                self.pending[tunnel] = time.monotonic()
                tunnel.begin()

    def sweep(self, now: float) -> None:
        """Wait no longer for a gateway that says nothing."""
        for tunnel in [found for found, since in self.pending.items() if since < now - CONNECT_SECONDS]:
            tunnel.close(reset=True)

    def end(self, flow: Flow) -> None:
        """Nothing can go that way any more."""
        self.held -= len(flow.held)
        flow.ended, flow.held = True, b""

    def pump(self, flow: Flow) -> bool:
        """Move what can be moved; whether there may be more at once. Raises OSError when either side is gone."""
        before = len(flow.held)
        try:
            return self.move(flow)
        finally:
            self.held += len(flow.held) - before

    def hand_on(self, flow: Flow) -> bool:
        """Move one piece; False where `pump` has to see to the rest. Raises OSError when either side is gone.

        Most pieces are small. To read on until nothing comes would cost each of them a call and an exception.
        """
        if flow.held or flow.ended:
            return False
        size = CHUNK if self.held < MAX_HELD else SMALL_CHUNK
        try:
            count = flow.source.recv_into(self.buffer, size)
        except BlockingIOError:
            return True
        try:
            sent = flow.target.send(self.buffer[:count]) if count else 0
        except BlockingIOError:
            sent = 0
        if sent < count:
            flow.held = memoryview(bytes(self.buffer[sent:count]))
            self.held += len(flow.held)
        return 0 < count < size and sent == count

    def move(self, flow: Flow) -> bool:
        """The inner part of `pump`. What the target does not take at once is held; the source waits meanwhile."""
        size = CHUNK if self.held < MAX_HELD else SMALL_CHUNK
        try:
            for _ in range(ROUNDS):
                if flow.held:
                    flow.held = flow.held[flow.target.send(flow.held) :]
                    continue
                if flow.ended:
                    return False
                count = flow.source.recv_into(self.buffer, size)
                if not count:
                    flow.ended = True
                    flow.target.shutdown(socket.SHUT_WR)
                    return False
                sent = self.send(flow.target, count)
                if sent < count:
                    flow.held = memoryview(bytes(self.buffer[sent:count]))
        except BlockingIOError:
            return False
        return True

    def send(self, target: socket.socket, count: int) -> int:
        """How much of the buffer's first bytes were taken. Raises OSError."""
        try:
            return target.send(self.buffer[:count])
        except BlockingIOError:
            return 0


class Tunnel:
    """One connection of a program inside: held until the gateway says OK, then two flows."""

    def __init__(self, tunnels: Tunnels, client: socket.socket, destination: bytes) -> None:
        self.tunnels = tunnels
        self.loop = tunnels.loop
        self.client = client
        self.destination = destination
        self.gateway: socket.socket | None = None
        self.line = b""
        self.flows: tuple[Flow, Flow] | None = None
        self.waits = False
        """Whether we are told when the gateway takes more: asked for only then, it costs an event for each piece."""
        self.queued = False
        self.closed = False
        # No interest: an end or a reset is reported all the same, and what was sent waits in the kernel.
        self.loop.add(client, select.EPOLLET, self.client_ready)

    def begin(self) -> None:
        """Ask the gateway; a full backlog is waited for."""
        if self.closed:
            return
        try:
            gateway = reach(self.tunnels.path)
        except BlockingIOError:
            self.loop.later.append(self.begin)
            return
        except OSError:
            self.close(reset=True)
            return
        self.gateway = gateway
        self.loop.add(gateway, READS, self.gateway_ready)
        try:
            gateway.sendall(self.destination)  # a new socket's buffer holds one line
        except OSError:
            self.close(reset=True)

    def client_ready(self, events: int) -> None:
        """The program has gone before the gateway's word came."""
        if events & (select.EPOLLHUP | select.EPOLLERR):
            self.close(reset=True)

    def gateway_ready(self, events: int) -> None:
        """The gateway has spoken, or has gone."""
        self.read_word()
        if self.flows is not None and not self.closed:
            self.down_ready(events | select.EPOLLPRI)  # there may be more than the word

    def up_ready(self, events: int) -> None:
        """The program's side has something to read, room, or an end."""
        if self.flows is None:
            return
        up, down = self.flows
        try:
            if not (events & ~PLAIN or down.held) and (not events & select.EPOLLIN or self.tunnels.hand_on(up)):
                return
        except BrokenPipeError:
            self.tunnels.end(up)  # as in `pump_up`
        except OSError:
            self.close(reset=True)
            return
        self.pump()

    def down_ready(self, events: int) -> None:
        """The gateway's side; both its directions at an end means that nothing can be sent to it any more."""
        if self.flows is None:
            return
        up, down = self.flows
        try:
            if not (events & ~PLAIN or up.held) and (not events & select.EPOLLIN or self.tunnels.hand_on(down)):
                return
        except OSError:
            self.close(reset=True)
            return
        if events & select.EPOLLHUP:
            self.tunnels.end(up)
        self.pump()

    def read_word(self) -> None:
        """Take the gateway's line; what follows it belongs to the program already."""
        try:
            while self.gateway is not None and self.flows is None:
                piece = self.gateway.recv(MAX_LINE)
                self.line += piece
                if not piece or b"\n" in self.line or len(self.line) > MAX_LINE:
                    self.heard(self.gateway)
                    return
        except BlockingIOError:
            return
        except OSError:
            self.close(reset=True)

    def heard(self, gateway: socket.socket) -> None:
        """Let it flow, or refuse."""
        word, _, rest = self.line.partition(b"\n")
        if word != b"OK":
            self.close(reset=True)
            return
        self.tunnels.pending.pop(self, None)
        self.flows = Flow(self.client, gateway), Flow(gateway, self.client)
        self.flows[1].held = rest
        self.tunnels.held += len(rest)
        self.loop.change(self.client, EDGES, self.up_ready)
        self.loop.handlers[gateway.fileno()] = self.down_ready

    def pump(self) -> None:
        """Move both flows on; close when both have ended, reset when a side is gone."""
        self.queued = False
        if self.flows is None or self.closed:
            return
        up, down = self.flows
        more = False
        try:
            more = self.pump_up(up)
            more = self.tunnels.pump(down) or more
        except OSError:
            self.close(reset=True)
            return
        if bool(up.held) != self.waits and self.gateway is not None:
            self.waits = not self.waits
            self.loop.change(self.gateway, EDGES if self.waits else READS)
        if up.finished() and down.finished():
            self.close()
        elif more and not self.queued:
            self.queued = True
            self.loop.again.append(self.pump)

    def pump_up(self, up: Flow) -> bool:
        """The way up; a far side that takes no more may still have an answer on its way down."""
        try:
            return self.tunnels.pump(up)
        except BrokenPipeError:
            self.tunnels.end(up)
            return False

    def close(self, *, reset: bool = False) -> None:
        """Close both sides."""
        if self.closed:
            return
        self.closed = True
        self.tunnels.open.discard(self)
        self.tunnels.pending.pop(self, None)
        for flow in self.flows or ():
            self.tunnels.end(flow)
        self.loop.drop(self.client, reset=reset)
        if self.gateway is not None:
            self.loop.drop(self.gateway)


# --- all of it ----------------------------------------------------------------------------------------------------

SELF_TEST_SECONDS = 30.0
MOST_WAIT = 86_400.0
"""One wait of the kernel's; it takes no infinity."""
LITERALS = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses of documentation, RFC 5737 and 3849: nobody's."""


class Network:
    """The sandbox's network: DNS, listeners and tunnels on one loop."""

    def __init__(self, path: str) -> None:
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        listeners = files // 2
        self.loop = Loop()
        self.lookups = Lookups(self.loop, path)
        # Two descriptors each; so many are left for DNS and ourselves that no accept can run out of them.
        self.tunnels = Tunnels(self.loop, path, (files - listeners - MAX_DNS_CONNECTIONS - 32) // 2)
        self.names = Names(self.loop, self.lookups, self.tunnels, listeners)
        self.resolver = Resolver(self.loop, self.names)
        self.swept = 0.0
        self.wakes = socket.socketpair()
        self.ended: Callable[[int], int | None] = lambda _child: None
        self.signalled = True
        """Whether a child may have ended since we last looked."""

    def step(self, seconds: float) -> None:
        """Serve one round, which waits at most that long."""
        timed = self.lookups.asked or self.resolver.connections or self.tunnels.pending
        self.loop.step(min(1.0, seconds) if timed else seconds)
        now = time.monotonic()
        if timed and now > self.swept + 1.0:
            self.swept = now
            for part in (self.lookups, self.resolver, self.tunnels):
                part.sweep(now)

    def self_test(self) -> dict[str, object]:
        """What a program inside would meet: nothing of it leaves the sandbox, whatever its network is."""
        canary = f"paddock-canary-{os.urandom(8).hex()}.invalid"
        found: dict[str, object] = {"fault": "", "canary": canary, "unreachable": dict(map(unreachable, LITERALS))}
        try:
            self.resolver.open()
            found["lookup"] = self.word_on(canary)
            found["answer"] = self.answer_to(canary)
        except OSError as error:
            found["fault"] = str(error)
        return found

    def word_on(self, name: str) -> str:
        """The gateway's own line on a name. Raises OSError when it gives none."""
        said: list[str] = []
        self.lookups.ask(name, said.append)
        self.until(lambda: bool(said))
        if not said[0]:
            raise ConnectionError("the gateway does not answer")
        return said[0]

    def answer_to(self, name: str) -> int:
        """The code with which 127.0.0.1:53 answers for a name, as a program's resolver gets it. Raises OSError."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.connect(RESOLVER)
            asker.setblocking(False)
            asker.send(question(name))
            self.until(lambda: bool(select.select([asker], [], [], 0)[0]))
            return asker.recv(MAX_MESSAGE)[3] & 15

    def until(self, done: Callable[[], bool]) -> None:
        """Serve until it is done. Raises TimeoutError."""
        end = time.monotonic() + SELF_TEST_SECONDS
        while not done():
            if time.monotonic() > end:
                raise TimeoutError("the self-test has no answer")
            self.step(0.1)

    def watch_for(self, ended: Callable[[int], int | None]) -> None:
        """Wake up when a child ends; `ended` then tells whether it is the one that is served."""
        for sock in self.wakes:
            sock.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self.wakes[1].fileno(), warn_on_full_buffer=False)
        self.loop.add(self.wakes[0], select.EPOLLIN, lambda _events: self.woken(self.wakes[0]))
        self.ended = ended

    def serve(self, child: int, seconds: float) -> int | None:
        """Serve until the child has ended, and at most that long; its status, or None."""
        until = time.monotonic() + seconds
        while True:
            status = self.ended(child) if self.signalled else None
            self.signalled = False
            left = until - time.monotonic()
            if status is not None or left <= 0:
                return status
            self.step(min(left, MOST_WAIT))

    def woken(self, sock: socket.socket) -> None:
        """A signal has come: forget the bytes that say so."""
        self.signalled = True
        with contextlib.suppress(OSError):
            sock.recv(4096)


def unreachable(literal: tuple[int, str]) -> tuple[str, str]:
    """An address, and what the kernel says to a program that would reach it; connecting UDP sends nothing."""
    family, address = literal
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((address, 443))
    except OSError as error:
        return address, errno.errorcode.get(error.errno or 0, "?")
    return address, "reachable"
