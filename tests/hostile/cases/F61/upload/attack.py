def post(size):
    data = head("upload.test", f"Content-Length: {size}", method="POST") + bytes(size)
    return word(connect, "upload.test:80", data)


print("little:", post(1000))
print("much:", post(1_000_000))
print("little again:", post(1000))
print("by another way:", word(tcp, "upload.test", 80, head("upload.test")))
