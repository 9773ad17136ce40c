tree = store(b"tree", entry(b"100644", b"f", store(b"blob", b"x")))
for _ in range(3_000):
    tree = store(b"tree", entry(b"40000", b"d", tree))
commit(tree, b"deep")
print("planted")
