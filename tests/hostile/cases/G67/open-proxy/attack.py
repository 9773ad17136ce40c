def raw(text):
    return echoed("g67.test", text.encode("latin-1"))


rest = " HTTP/1.1\r\nHost: g67.test\r\n\r\n"
print("absolute:", raw("GET http://evil67.test/echo" + rest))
print("two slashes:", raw("GET //evil67.test/echo" + rest))
print("backslash:", raw("GET /\\evil67.test/echo" + rest))
print("at:", raw("GET @evil67.test/echo" + rest))
print("upwards:", raw("GET /v1/../../echo" + rest))
print("line feed:", raw("GET /echo HTTP/1.1\nHost: evil67.test\r\nHost: g67.test\r\n\r\n"))
print("carriage return:", raw("GET /echo HTTP/1.1\r\nX-A: b\rHost: evil67.test\r\nHost: g67.test\r\n\r\n"))
print("other host:", raw("GET /echo HTTP/1.1\r\nHost: evil67.test\r\n\r\n"))
print("two hosts:", raw("GET /echo HTTP/1.1\r\nHost: g67.test\r\nHost: evil67.test\r\n\r\n"))
print("userinfo:", raw("GET /echo HTTP/1.1\r\nHost: g67.test@evil67.test\r\n\r\n"))
print("trace:", raw("TRACE /echo" + rest))
print("connect:", raw("CONNECT evil67.test:443/echo" + rest))
print("websocket:", raw("GET /echo HTTP/1.1\r\nHost: g67.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"))
both = "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /echo HTTP/1.1\r\nHost: evil67.test\r\n\r\n"
print("smuggled:", raw("POST /echo HTTP/1.1\r\nHost: g67.test\r\n" + both))
