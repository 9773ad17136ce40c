names = (
    "memory/memory.limit_in_bytes",
    "memory/cgroup.procs",
    "memory.max",
    "cgroup.procs",
    "release_agent",
    "memory/release_agent",
)
opened = [name for name in names if attempt(lambda: os.close(os.open(f"/sys/fs/cgroup/{name}", os.O_WRONLY))) == "ok"]
print("cgroup-limits:", "some" if opened else "none")
