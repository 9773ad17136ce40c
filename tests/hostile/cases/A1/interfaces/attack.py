names = [name for _, name in socket.if_nameindex()]
up = [name for name in names if int(open(f"/sys/class/net/{name}/flags").read(), 16) & 1]
print("lo alone" if up == ["lo"] else "more than lo")
print("routes:", len(open("/proc/net/route").readlines()) - 1)
