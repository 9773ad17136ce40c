python3 -c 'import ctypes; ctypes.CDLL(None).syscall(248, b"user", b"paddock-test", b"x", 1, -3)' || true
