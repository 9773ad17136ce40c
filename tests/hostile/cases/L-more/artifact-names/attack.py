import os
import subprocess

with open(".gitignore", "w") as file:
    file.write("out/\n")
subprocess.run(["git", "add", ".gitignore"], check=True)
subprocess.run(["git", "commit", "-qm", "work"], check=True)
os.mkdir("out")
names = [
    b"\x1b[2J\x1b]0;title\x07",
    b"two\nlines",
    b"\xff\xfe.md",
    "\u202egnp.exe".encode(),
    b"-rf",
    b"~",
    b".GIT",
    b"back\\slash",
    b"Capitals",
    b"capitals",
    b"n" * 255,
]
for name in names:
    with open(b"out/" + name, "w") as file:
        file.write("text\n")
print("\x1b[2Jplanted")
print("planted")
