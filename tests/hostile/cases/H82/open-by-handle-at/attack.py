print("open-by-handle-at:", syscall(304, -100, b"\0" * 64, 0))
