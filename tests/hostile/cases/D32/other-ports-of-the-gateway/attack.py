def listeners():
    for line in open("/proc/net/tcp").readlines()[1:] + open("/proc/net/tcp6").readlines()[1:]:
        address, state = line.split()[1], line.split()[3]
        if state == "0A":
            yield address


mine = {"0100007F:0035"} | {f"{number:02X}{n:02X}4D7F:{port:04X}" for number in range(256) for n in (0, 1) for port in (80, 443, 2375)}
print("doors:", "more" if set(listeners()) - mine else "DNS and names alone")
print("folder:", *sorted(os.listdir("/paddock/control")))
print("words:", *(word(gateway, line, end=True) for line in ("STATS\n", "RELOAD\n", "ALLOW evil32.test\n", "HELP\n")))
