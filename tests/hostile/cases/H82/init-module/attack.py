print("init-module:", reach(175, b"x", 1, b""))
