def drip(*pieces, pause):
    said = gateway(*pieces, pause=pause)
    return "held open" if said == "silence" else f"{said}, cut off"


print("a slow line:", word(gateway, *(bytes([byte]) for byte in b"CONNECT allowed.test:80\n"), head("allowed.test"), pause=0.02))
print("half a head:", word(drip, b"CONNECT allowed.test:80\n", b"GET / HTTP/1.1\r\nHost: allowed.test\r\nX: ", *[b"stolen goods"] * 5, pause=0.4))
print("no hello:", word(drip, b"CONNECT allowed.test:443\n", pause=0.1))
print("half a hello:", word(drip, b"CONNECT allowed.test:443\n", *(hello("allowed.test")[at : at + 2] for at in range(0, 8, 2)), pause=0.4))
