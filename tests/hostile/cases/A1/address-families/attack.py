def opened(family):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        if attempt(lambda: socket.socket(family, kind).close()) == "ok":
            return True


usual = {socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK}
print("usual:", *sorted(family for family in usual if opened(family)))
print("others:", "some" if any(opened(family) for family in range(64) if family not in usual) else "none")
print("machine's own:", attempt(lambda: socket.socket(40, socket.SOCK_STREAM).close()))
print("x32:", syscall(0x40000000 + 41, 40, 1, 0))
