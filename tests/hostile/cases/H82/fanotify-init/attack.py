print("fanotify-init:", syscall(300, 0, 0))
