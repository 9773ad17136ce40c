print("userfaultfd:", syscall(323, 1))
