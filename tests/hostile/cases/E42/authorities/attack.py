places = (
    "user@open42.test:80", "open42.test:80@denied.test:80", "denied.test\\@open42.test:80", "denied.test#open42.test:80",
    "denied.test/open42.test:80", "denied.test?open42.test:80", "%64enied.test:80", "denied.test%2eopen42.test:80",
    b"denied.test\0.open42.test:80", b"open42.test\rdenied.test:80", b"open42.test:80\r", b"open42.test:80 HTTP/1.1",
    b"\xffopen42.test:80", "http://open42.test:80", "denied.test,open42.test:80", "denied.test;open42.test:80",
)
for place in places:
    print(ascii(place), word(connect, place))
print("line feed:", word(gateway, b"CONNECT open42.test\n.denied.test:80\n", GOODS))
