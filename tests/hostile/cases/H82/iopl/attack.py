print("iopl:", syscall(172, 3))
