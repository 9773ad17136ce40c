for number in range(1, 8):
    print(number, word(connect, f"n{number}.inside.test:80"))
print("by a program:", word(tcp, "n1.inside.test", 80))
for turn in range(3):
    print("flip:", word(connect, "flip.inside.test:80", head("flip.inside.test")))
