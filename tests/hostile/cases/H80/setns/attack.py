print("setns:", syscall(308, os.open("/proc/self/ns/uts", os.O_RDONLY), 0))
