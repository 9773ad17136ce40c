def send(address, port, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.sendto(GOODS, (address, port))


print("mdns:", word(send, "224.0.0.251", 5353))
print("ssdp:", word(send, "239.255.255.250", 1900))
print("broadcast:", word(send, "255.255.255.255", 67))
print("mdns by ipv6:", word(send, "ff02::fb", 5353, socket.AF_INET6))
