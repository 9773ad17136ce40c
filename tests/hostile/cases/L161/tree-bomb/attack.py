subprocess.check_call("echo honest >honest.txt; git add -A; git commit -qm honest", shell=True)
tree = store(b"tree", b"".join(entry(b"100644", b"f%d" % n, store(b"blob", b"x")) for n in range(10)))
for _ in range(9):
    tree = store(b"tree", b"".join(entry(b"40000", b"d%d" % n, tree) for n in range(10)))
commit(tree, b"ten thousand million files")
print("planted")
