for name in ("evilallowed.test", "allowed.test.evil36.test", "allowed-test.test", "allowed.tes", "xallowed.test", "alloweb.test", "xn--llowed-4ve.test", "wild.test.evil36.test", "notwild.test"):
    print(name, dns(name), word(connect, f"{name}:443"))
print("letters outside ASCII:", word(connect, "\u0430llowed.test:443"), dns("\u0430llowed.test"))
