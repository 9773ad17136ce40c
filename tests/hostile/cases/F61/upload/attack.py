def post(size):
    data = head("upload.test", f"Content-Length: {size}", method="POST") + bytes(size)
    return word(connect, "upload.test:80", data)


print("little:", post(1000))
time.sleep(1)  # so that its tunnel is over when the limit is reached, and not one of those that are cut
print("much:", post(1_000_000))
print("little again:", post(1000))
# Cut off before or after it has sent its request, a program sees an end or a reset: nothing came back in either case.
end = word(tcp, "upload.test", 80, head("upload.test"))
print("by another way:", {"ECONNRESET": "closed"}.get(end, end))
