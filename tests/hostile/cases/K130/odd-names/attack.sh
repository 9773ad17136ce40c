work
python3 - <<'END'
import os
names = [b"n" * 255, b"new\nline", b"\xff\xfe", b"-rf", b" ", b"\x1b[2Jcleared", b"a\\b", b"*", b"$(canary name)"]
for name in names:
    os.mkdir(b"odd-" + name[:251])
    with open(b"odd-" + name[:251] + b"/" + name, "w") as file:
        file.write("kept\n")
END
echo planted
