import hashlib, os, struct, subprocess, time, zlib


def store(kind, data):
    data = b"%s %d\0" % (kind, len(data)) + data
    name = hashlib.sha1(data).hexdigest()
    os.makedirs(f".git/objects/{name[:2]}", exist_ok=True)
    with open(f".git/objects/{name[:2]}/{name[2:]}", "wb") as file:
        file.write(zlib.compress(data, 1))
    return name


def commit(tree, message, *, headers=b""):
    head = subprocess.check_output(["git", "rev-parse", "HEAD"])
    who = b"Agent <agent@example.com> %d +0000" % time.time()
    data = b"tree %s\nparent %sauthor %s\ncommitter %s\n%s\n%s\n" % (tree.encode(), head, who, who, headers, message)
    with open(".git/refs/heads/main", "w") as ref:
        ref.write(store(b"commit", data) + "\n")


def entry(mode, name, sha):
    return b"%s %s\0" % (mode, name) + bytes.fromhex(sha)


subprocess.check_call("echo honest >honest.txt; git add -A; git commit -qm honest", shell=True)
tree = store(b"tree", b"".join(entry(b"100644", b"f%d" % n, store(b"blob", b"x")) for n in range(10)))
for _ in range(9):
    tree = store(b"tree", b"".join(entry(b"40000", b"d%d" % n, tree) for n in range(10)))
commit(tree, b"ten thousand million files")
print("planted")
