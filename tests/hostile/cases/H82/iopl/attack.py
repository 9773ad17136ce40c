print("iopl:", reach(172, 3))
