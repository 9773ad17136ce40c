def reach():
    with socket.create_connection(("127.0.0.1", int(os.environ["HOST_TCP"])), 3) as peer:
        peer.sendall(os.environ["LEG"].encode())


print("tcp:", attempt(reach))
