def post(size):
    return echoed("g68.test", head("g68.test", f"Content-Length: {size}", path="/echo", method="POST") + bytes(size))


print("little:", post(1000))
print("much:", post(1_000_000))
print("little again:", post(1000))
