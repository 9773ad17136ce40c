print("chroot:", syscall(161, b"/tmp"))
