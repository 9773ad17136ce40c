# canary NAME [LINE]: a program .git/canaries/NAME that tells the host, and the collector's work tree, that it ran
canary() {
    mkdir -p .git/canaries
    printf '#!/bin/sh\n(echo %s >>"%s") 2>/dev/null\n(echo %s >>/workspace/canary-fired) 2>/dev/null\n%s\n' \
        "$1" "$CANARY" "$1" "${2:-exit 0}" >".git/canaries/$1"
    chmod 755 ".git/canaries/$1"
}
set_config() { git config --file .git/config "$@"; }
work() {
    echo "${1:-work}" >work.txt
    git add work.txt
    git commit -qm "${2:-work}"
}
# store_tree NAME...: a commit on main whose tree has a folder of each name, unchecked by git
store_tree() {
    python3 - "$@" <<'X'
import hashlib, os, subprocess, sys, zlib


def store(kind, data):
    data = b"%s %d\0" % (kind, len(data)) + data
    name = hashlib.sha1(data).hexdigest()
    os.makedirs(f".git/objects/{name[:2]}", exist_ok=True)
    with open(f".git/objects/{name[:2]}/{name[2:]}", "wb") as file:
        file.write(zlib.compress(data))
    return name


blob = store(b"blob", b"#!/bin/sh\n")
inner = store(b"tree", b"100755 config\0" + bytes.fromhex(blob))
entries = [b"40000 " + os.fsencode(name) + b"\0" + bytes.fromhex(inner) for name in sys.argv[1:]]
tree = store(b"tree", b"".join(entries))
head = subprocess.check_output(["git", "rev-parse", "HEAD"]).decode().strip()
who = "A <a@example.com> 1 +0000"
commit = store(b"commit", f"tree {tree}\nparent {head}\nauthor {who}\ncommitter {who}\n\nodd\n".encode())
with open(".git/refs/heads/main", "w") as ref:
    ref.write(commit + "\n")
X
}
