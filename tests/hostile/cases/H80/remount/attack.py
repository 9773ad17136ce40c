print("remount:", syscall(165, b"none", b"/", 0, 32 | 4096, 0))
