print("swapon:", syscall(167, b"/nowhere", 0))
