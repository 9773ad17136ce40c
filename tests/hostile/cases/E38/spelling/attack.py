for name in ("E38.WILD.TEST", "e38.wild.test.", "DENIED.wild.test", "denied.wild.test.", "e38.wild.test..", " e38.wild.test", "e38.wild.test ", "e38.wild.test\t", "evil38.test\x0b.wild.test"):
    print(repr(name), word(connect, f"{name}:80", head("e38.wild.test")))
