print("pivot-root:", syscall(155, b"/tmp", b"/tmp"))
