found = sorted(
    {
        line.split()[1]
        for line in open("/proc/mounts")
        if "rw" in line.split()[3].split(",")
        and line.split()[2] not in ("tmpfs", "proc", "devpts", "mqueue", "sysfs", "cgroup", "cgroup2")
    }
)
print("writable:", " ".join(found))
