try:
    print("keys:", "ok" if open("/proc/keys").read() else "a mask")
except OSError as error:
    print("keys:", name_of(error.errno))
