print("finit-module:", reach(313, -1, b"", 0))
