import resource

soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def crowd(many):
    socks = []
    try:
        for _ in range(many):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(GATEWAY)
            socks.append(sock)
        time.sleep(1)
        away = 0
        for sock in socks:
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                away += sock.recv(100) != b""
        return len(socks), away
    finally:
        for sock in socks:
            sock.close()


come, away = crowd(2000)
print("came:", come, "turned away:", away if away < 900 else "the rest")
time.sleep(0.3)
print("a line that never ends:", word(gateway, b"LOOKUP " + b"x" * 5000))
for _ in range(5):  # whoever has just got rid of two thousand may be slow
    said = word(gateway, b"LOOKUP evil60.test\n" * 3000, end=True)[:13]
    if said != "silence":
        break
print("many lookups:", said)
print("afterwards:", word(http, "allowed.test", head("allowed.test")))
