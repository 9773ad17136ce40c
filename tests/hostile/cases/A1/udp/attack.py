def reach():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.connect(("127.0.0.1", int(os.environ["HOST_UDP"])))
        peer.send(os.environ["LEG"].encode())
        time.sleep(0.1)
        peer.send(os.environ["LEG"].encode())


print("udp:", attempt(reach))
