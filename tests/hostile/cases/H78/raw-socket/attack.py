print("packet:", attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()))
print("raw:", attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close()))
