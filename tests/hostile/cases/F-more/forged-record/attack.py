lines = (
    b'LOOKUP x.test","verdict":"allowed","y":"\n',
    b'CONNECT x.test","verdict":"allowed","y":":443\n',
    b'LOOKUP forged.test\\n{"kind":"connect","name":"allowed.test","port":443,"verdict":"allowed"}\n',
    b"LOOKUP \x1b[2J\x1b]0;title\x07.test\n",
    b"LOOKUP forged.test\x85allowed\n",
    b"LOOKUP \\u001b[31m.test\n",
    b"LOOKUP " + b"long" * 70 + b".test\n",
    b"LOOKUP " + b"long" * 200 + b".test\n",
    b"LOOKUP \n",
    b"LOOKUP\n",
    b"\n",
    b"lookup forged.test\n",
    b"LOOKUP forged.test extra\n",
)
for line in lines:
    print(word(gateway, line, end=True))
if LEG == "control":
    print("forged:", any(line.startswith(b'{"kind":"connect"') for line in open("/tmp/naive.log", "rb")))
