print("init-module:", syscall(175, b"x", 1, b""))
