python3 - <<'X'
import subprocess
every = "\x1b[2Jcsi \x1b]0;osc\x07 \x1b]52;c;cm0=\x07 \x1bPdcs\x1b\\ \u009b31mc1 \r-cr \b\b-bs \u202ebidi\u202c \u2066iso\u2069 \u200bzw \u2028ls \x7f-del \x0e-so"
with open("every.txt", "w") as file:
    file.write(every + "\n")
name = "name" + every.replace("\r", "").replace("\n", "")
with open(name[:80], "w") as file:
    file.write("x\n")
with open(b"raw\x9b2J\xff", "w") as file:
    file.write("x\n")
subprocess.check_call(["git", "add", "-A"])
who = "Evil " + every.replace("\x1b", "\x1b") + " <e@example.com>"
subprocess.check_call(["git", "commit", "-qm", "subject " + every + "\n\nbody " + every, "--author", who])
with open(".git/MERGE_MSG", "w") as file:
    file.write(every)
print("printed", every)
X
echo planted
