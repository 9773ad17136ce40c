blob = store(b"blob", b"x")
commit(store(b"tree", b"".join(entry(b"100644", b"f%07d" % number, blob) for number in range(1_000_000))), b"a million")
print("planted")
