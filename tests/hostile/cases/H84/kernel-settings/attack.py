paths = (
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/vm/drop_caches",
    "/proc/sysrq-trigger",
    "/proc/irq/default_smp_affinity",
)
opened = [path for path in paths if attempt(lambda: os.close(os.open(path, os.O_WRONLY))) == "ok"]
print("kernel-settings:", "some" if opened else "none")
