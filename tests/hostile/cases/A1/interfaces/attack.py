print(",".join(sorted(name for _, name in socket.if_nameindex() if open(f"/sys/class/net/{name}/operstate").read() or True)) == "lo" and "lo alone" or "more than lo")
print(f"routes: {len(open('/proc/net/route').readlines()) - 1}")
