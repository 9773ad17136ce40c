for name in ("wild.test", "denied.wild.test", "tls.test", "sub.tls.test", "x..wild.test", ".wild.test", "*.wild.test"):
    print(name, word(connect, f"{name}:80", head(name)))
print("nested:", word(connect, "a.b.e37.wild.test:80", head("a.b.e37.wild.test")))
