commit(store(b"tree", entry(b"104755", b"file", store(b"blob", b"odd\n"))), b"odd")
print("planted")
