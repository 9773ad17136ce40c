for place in (
    "evil182.test:443", "*.evil182.test:443", "evil182.test:22", "10.0.0.9:443", "[::1]:443", "0x7f000001:80",
    'x.test","*.evil182.test:443', "x.test#:443", "@evil182:443", "evil182:443", "xn--evil182-.test:443",
):
    print(place, word(connect, place))
