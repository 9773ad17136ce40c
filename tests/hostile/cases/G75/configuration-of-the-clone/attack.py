import subprocess

found = set()
for folder, _, names in os.walk("/workspace"):
    for path in (os.path.join(folder, name) for name in names):
        with open(path, "rb") as file:
            if b"ghp_canary" in file.read():
                found.add(path)
print("tokens in:", " ".join(sorted(found)) or "nothing")
list_all = ["git", "-c", "safe.directory=*", "-C", "/workspace", "config", "--local", "--list"]
said = subprocess.run(list_all, capture_output=True, text=True).stdout.splitlines()
kinds = ("credential.", "http.", "remote.", "url.")
print("settings:", " ".join(kind for kind in kinds if any(line.startswith(kind) for line in said)) or "nothing")
