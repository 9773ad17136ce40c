print("open-tree:", syscall(428, -100, b"/", 1))
