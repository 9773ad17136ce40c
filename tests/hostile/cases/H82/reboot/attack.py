print("reboot:", syscall(169, 0, 0, 0, 0))
