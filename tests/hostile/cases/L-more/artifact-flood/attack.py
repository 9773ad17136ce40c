import os
import subprocess

with open(".gitignore", "w") as file:
    file.write("report.md\nout/\n")
subprocess.run(["git", "add", ".gitignore"], check=True)
subprocess.run(["git", "commit", "-qm", "work"], check=True)
os.mkdir("out")
for number in range(20_000):
    os.mknod(f"out/{number:05}")
with open("report.md", "wb") as file:
    file.truncate(9 * 2**30)
print("planted")
