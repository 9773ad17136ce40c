print("firmware:", "ok" if os.listdir("/sys/firmware") else "a mask")
