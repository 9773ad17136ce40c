print("open-by-handle-at:", reach(304, -100, b"\0" * 64, 0))
