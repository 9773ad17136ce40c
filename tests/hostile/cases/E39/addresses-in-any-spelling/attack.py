spellings = """2130706433 0x7f000001 0x7f.1 0177.0.0.1 017700000001 127.1 127.0.1 127.0.0.1. 0x7f.0.0.0x1 1 0
134744072 0x08080808 8.8.8.8 010.010.010.010 8.8 [::1] [::ffff:127.0.0.1] ::1 [fe80::1%lo] [::] 127.0.0.1%00
1.1.1.1.in-addr.arpa 127.0.0.1.0x7f""".split()
for spelling in spellings:
    print(spelling, word(connect, f"{spelling}:80"))
