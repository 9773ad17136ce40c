print("syslog:", syscall(103, 10, 0, 0))
