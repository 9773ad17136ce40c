import subprocess


def gain():
    said = subprocess.run(["/usr/local/bin/capgrep", "CapEff", "/proc/self/status"], stdout=subprocess.PIPE).stdout
    print("CapEff:", said.decode().split()[1].lstrip("0") or "none")


print("capability program:", attempt(gain))
print("planted")
