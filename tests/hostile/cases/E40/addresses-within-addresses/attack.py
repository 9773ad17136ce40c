for number in range(1, 15):
    print(number, word(connect, f"in{number}.test:80"))
