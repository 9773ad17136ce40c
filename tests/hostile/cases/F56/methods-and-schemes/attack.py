goods = "X-Goods: stolen goods"
for method, path in (
    ("TRACE", "/"), ("TRACK", "/"), ("PURGE", "/"), ("CONNECT", "evil56.test:443"), ("GET", "ftp://evil56.test/"),
    ("GET", "urn:evil56"), ("GET", "cache_object://f56.wild.test/"), ("GET", "http://evil56.test/"), ("get", "/"),
    ("GET", "*"), ("GET", "/\\evil56.test/"), ("GET", "/a b"), ("GET", "\t/"),
):
    print(method, ascii(path), word(connect, "f56.wild.test:80", head("f56.wild.test", goods, method=method, path=path)))
print("0.9:", word(connect, "f56.wild.test:80", b"GET /stolen goods\r\n\r\n"))
print("3.0:", word(connect, "f56.wild.test:80", head("f56.wild.test", goods).replace(b"1.1", b"3.0")))
