commit(store(b"tree", entry(b"100777", b"file", store(b"blob", b"odd\n"))), b"odd")
print("planted")
