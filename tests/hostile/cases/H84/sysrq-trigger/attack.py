print("sysrq-trigger:", attempt(lambda: os.close(os.open("/proc/sysrq-trigger", os.O_WRONLY))))
