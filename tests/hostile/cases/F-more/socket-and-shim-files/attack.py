def own_socket():
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(os.path.dirname(GATEWAY) + "/another.sock")


def away():
    os.rename(GATEWAY, GATEWAY + ".old")
    os.rename(GATEWAY + ".old", GATEWAY)


def shim():
    inside = GATEWAY.replace("control/gateway.sock", "inside")
    os.makedirs(inside, exist_ok=True)
    open(f"{inside}/shim_network.py", "w").close()


print("away:", word(away))
print("another:", word(own_socket))
print("after all:", word(connect, "evil-files.test:80"))
print("shim:", word(shim))
print("resolv.conf:", word(lambda: open("/etc/resolv.conf", "a").close()))
print("hosts:", word(lambda: open("/etc/hosts", "a").close()))
