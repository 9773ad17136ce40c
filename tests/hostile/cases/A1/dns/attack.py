def ask():
    question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x06secret\x04test\x00\x00\x01\x00\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.connect(("127.0.0.1", int(os.environ["HOST_UDP"])))
        peer.send(os.environ["LEG"].encode() + question)
        time.sleep(0.1)
        peer.send(question)


print("query:", attempt(ask))
servers = [line.split()[1] for line in open("/etc/resolv.conf") if line.startswith("nameserver")]
print("resolver:", "its own loopback" if servers == ["127.0.0.1"] else "another")
