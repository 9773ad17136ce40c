print("delete-module:", syscall(176, b"paddock_absent", 0))
