blob = store(b"blob", b"x")
old = subprocess.check_output(["git", "cat-file", "tree", "HEAD"])
name = b"zz\x1b[2J" + b"n" * 1_000_000
commit(store(b"tree", old + entry(b"100644", name, blob)), b"long")
print("planted")
