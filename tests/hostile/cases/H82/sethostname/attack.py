print("sethostname:", syscall(170, b"taken", 5))
