"""What attacks on the network have in common, and their driver: `NAME|LINE` for each line that they print."""

import base64, contextlib, errno, io, json, os, re, select, socket, ssl, struct, subprocess, sys, threading, time, traceback, urllib.parse

LEG = os.environ["LEG"]
GATEWAY = "/paddock/control/gateway.sock"
GOODS = b"stolen goods"
KEY = re.compile(rb"sk-canary-[0-9a-f]{16}")
SECONDS = 4.0 if LEG == "policy" else 1.5


def word(action, *arguments, **more):
    """What `action` returns, `ok` for nothing, or the name of its error."""
    try:
        result = action(*arguments, **more)
    except socket.gaierror:
        return "no such name"
    except OSError as error:
        name = errno.errorcode.get(error.errno, str(error.errno)) if error.errno else type(error).__name__
        return {"EADDRNOTAVAIL": "ENETUNREACH"}.get(name, name)  # where loopback has no IPv6 at all
    return "ok" if result is None else result


def heard(sock):
    """What the other side makes of it: `reached` (`with goods`, where a web server got them), `closed`, or its line."""
    sock.settimeout(SECONDS)
    data = b""
    try:
        while b"reached" not in data and (piece := sock.recv(65536)):
            data += piece
    except TimeoutError:
        return "silence"
    except ConnectionResetError:
        pass
    if b"reached" in data:
        return "reached with goods" if b"with goods" in data else "reached"
    return data.decode("ascii", "backslashreplace").strip() or "closed"


def tcp(address, port, data=GOODS):
    """A plain program: connects to a name or an address, says something, and listens."""
    family, kind, protocol, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as sock:
        sock.settimeout(SECONDS)
        try:
            sock.connect(place)
        except ConnectionResetError:  # closed before we knew that it was open
            return "closed"
        with contextlib.suppress(ConnectionError):
            sock.sendall(data)
        return heard(sock)


def udp(address, port, data=GOODS):
    """The same by UDP."""
    family, kind, protocol, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as sock:
        sock.settimeout(2)
        sock.connect(place)
        sock.send(data)
        return "reached" if b"reached" in sock.recv(2000) else "something else"


def head(host, *headers, path="/", method="GET"):
    """A request's head; its goods are in what follows."""
    lines = [f"{method} {path} HTTP/1.1", *([f"Host: {host}"] if host else []), *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def http(name, data, port=80):
    """What a web server says to exactly these bytes."""
    return tcp(name, port, data)


def spelled(data):
    """How a key can be read in `data`, in one word; `no key` where it cannot."""
    if KEY.search(data):
        return "plain"
    data = re.sub(rb"\r\n1\r\n", b"", data)
    if KEY.search(data):
        return "in pieces"
    if KEY.search(urllib.parse.unquote_to_bytes(data)):
        return "percent"
    for run in re.findall(rb"(?:[0-9A-Fa-f]{2}){26,}", data):
        if KEY.search(bytes.fromhex(run.decode())):
            return "hex"
    for run in re.findall(rb"[A-Za-z0-9+/_-]{32,}", data):
        for skip in range(4):
            piece = run[skip:].replace(b"-", b"+").replace(b"_", b"/")
            if KEY.search(base64.b64decode(piece + b"A" * (-len(piece) % 4))):
                return "base64"
    return "no key"


def echoed(name, data, port=80):
    """How the key can be read in what a server tells again; or that nothing was told."""
    said = b""
    with contextlib.suppress(OSError), socket.create_connection((name, port), SECONDS) as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(data)
        while b"end of echo" not in re.sub(rb"\r\n1\r\n", b"", said) and (piece := sock.recv(65536)):
            said += piece
    return spelled(said) if said else "nothing"


def curl(*words, **more):
    """`reached`, or the exit code of curl."""
    environment = {**os.environ, **more}
    done = subprocess.run(["curl", "-sS", "-m", "4", *words], capture_output=True, env=environment, check=False)
    return "reached" if b"reached" in done.stdout else f"curl {done.returncode}"


def hello(name):
    """The first bytes of a real TLS client that wants `name`."""
    context = ssl.create_default_context()
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def gateway(*pieces, pause=0.0, end=False):
    """What the gateway answers to bytes that the shim never sent."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(SECONDS)
        sock.connect(GATEWAY)
        try:
            for piece in pieces:
                sock.sendall(piece if isinstance(piece, bytes) else piece.encode())
                time.sleep(pause)
            if end:
                sock.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return heard(sock)


def connect(place, data=GOODS):
    """Through the gateway, as the shim does, to a place that the shim would not name."""
    return gateway(b"CONNECT " + (place if isinstance(place, bytes) else place.encode()) + b"\n", data)


def question(name, kind=1):
    """A DNS packet; labels may hold anything."""
    labels = b"".join(bytes([len(label)]) + label for label in (part.encode() for part in name.split(".")))
    return struct.pack("!6H", 0x4835, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, kind, 1)


def dns(name, kind=1, server="127.0.0.1", by="udp"):
    """`NXDOMAIN`, `nothing`, or the number of answers."""
    packet = question(name, kind)
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if by == "udp" else socket.SOCK_STREAM) as sock:
        sock.settimeout(SECONDS)
        sock.connect((server, 53))
        if by == "udp":
            sock.send(packet)
            answer = sock.recv(4096)
        else:
            sock.sendall(struct.pack("!H", len(packet)) + packet)
            answer = sock.recv(4096)[2:]
    code, count = answer[3] & 15, struct.unpack_from("!H", answer, 6)[0]
    return f"{count} answers" if count else {0: "nothing", 2: "SERVFAIL", 3: "NXDOMAIN"}.get(code, f"code {code}")


def run(script):
    """One attack in a process of its own; what it printed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        os.closerange(3, 1024)
        sys.stdout = os.fdopen(1, "w", buffering=1, errors="backslashreplace")
        try:
            exec(compile(script, "attack", "exec"), dict(globals()))
        except BaseException:
            traceback.print_exc(file=sys.stdout)
        finally:
            sys.stdout.flush()
            os._exit(0)
    os.close(writer)
    output, end = b"", time.monotonic() + 30
    while select.select([reader], [], [], max(0, end - time.monotonic()))[0] and (piece := os.read(reader, 65536)):
        output += piece
    if time.monotonic() >= end:
        output += b"\ntimed out\n"
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, 9)
    os.waitpid(child, 0)
    os.close(reader)
    return output.decode("utf-8", "backslashreplace")


for name, script in json.loads(sys.argv[1]).items():
    for line in run(script).splitlines():
        print(f"{name}|{line}", flush=True)
