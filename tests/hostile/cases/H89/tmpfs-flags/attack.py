options = next(
    line.split()[3].split(",")
    for line in reversed(open("/proc/mounts").readlines())
    if line.split()[1] in ("/tmp", "/")
)
print("nosuid:", "nosuid" in options)
print("nodev:", "nodev" in options)
print("sized:", any(o.startswith("size=") for o in options))
