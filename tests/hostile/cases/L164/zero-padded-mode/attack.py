commit(store(b"tree", entry(b"0100644", b"file", store(b"blob", b"odd\n"))), b"odd")
print("planted")
