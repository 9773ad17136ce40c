print("add-key:", syscall(248, b"user", b"paddock-test", b"x", 1, -3))
