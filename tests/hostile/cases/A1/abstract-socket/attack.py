sys.stdout.write("abstract sockets: " + ("some" if any("@" in line for line in open("/proc/net/unix").readlines()[1:]) else "none") + "\n")
