print("delete-module:", reach(176, b"paddock_absent", 0))
