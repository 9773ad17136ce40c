def read(file):
    with open(f"/proc/{os.environ['HOST_PID']}/{file}", "rb") as data:
        return data.read(100)


print("environment of a host's process:", attempt(lambda: read("environ")))
print("its memory:", attempt(lambda: open(f"/proc/{os.environ['HOST_PID']}/mem", "rb").close()))
found = []
for number in filter(str.isdigit, os.listdir("/proc")):
    try:
        with open(f"/proc/{number}/environ", "rb") as data:
            found += [number] if b"HOST_SECRET=" in data.read() else []
    except OSError:
        pass
print("secrets of others:", len(found) > 0)
