print("io-uring-x32:", syscall(425 | 0x40000000, 4, b"\0" * 120))
