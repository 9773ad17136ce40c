def content(path):
    try:
        with open(path, "rb") as file:
            return file.read(16)
    except OSError:
        return b""


paths = ("/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/sched_debug")
print("kernel-memory:", "some" if any(map(content, paths)) else "none")
