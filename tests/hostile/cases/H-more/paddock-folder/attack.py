for path in ("/paddock/inside/shim.py", "/paddock/control/planted", "/etc/passwd"):
    print(f"{path}:", "ok" if attempt(lambda: open(path, "a").close()) == "ok" else "refused")
mounted = {line.split()[1]: line.split()[3].split(",")[0] for line in open("/proc/mounts")}
for path in ("/paddock/inside", "/paddock/control", "/etc/passwd"):
    print(f"{path} is mounted", mounted.get(path, "with the rest"))
