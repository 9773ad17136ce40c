for number in (1, 2, 3):
    print(number, word(connect, f"meta{number}.test:80"))
print("another private one:", word(connect, "ten.test:80", head("ten.test")))
print("a listed name:", word(connect, "listed.test:80", head("listed.test")))
print("the host itself:", word(connect, "bridge29.test:80"), word(connect, "own29.test:80"))
