def look(place, data):
    if (how := spelled(data)) != "no key":
        found.add(f"{place} ({how})")


found = set()
print("answer:", echoed("g63.test", head("g63.test", path="/echo")))
look("variables", "\n".join(os.environ.values()).encode())
for number in filter(str.isdigit, os.listdir("/proc")):
    for file in ("environ", "cmdline"):
        with contextlib.suppress(OSError), open(f"/proc/{number}/{file}", "rb") as text:
            look(file, text.read().replace(b"\0", b"\n"))
for top in ("/paddock", "/workspace", "/home", "/etc", "/tmp", "/run", "/var", "/root", "/mnt", "/opt", "/srv"):
    for folder, _, names in os.walk(top):
        for path in (os.path.join(folder, name) for name in names):
            with contextlib.suppress(OSError):
                if os.path.isfile(path) and os.path.getsize(path) < 2**22:
                    with open(path, "rb") as text:
                        look(path, text.read())
print("found in:", ", ".join(sorted(found)) or "nothing")
