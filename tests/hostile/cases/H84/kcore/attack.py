def read():
    with open("/proc/kcore", "rb") as memory:
        return "ok" if memory.read(4) else "a mask"


try:
    print("kcore:", read())
except OSError as error:
    print("kcore:", name_of(error.errno))
