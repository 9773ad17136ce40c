print("mount:", syscall(165, b"none", b"/mnt", b"tmpfs", 0, 0))
