import subprocess

print("effective uid:", subprocess.run(["/usr/local/bin/rootid", "-u"], stdout=subprocess.PIPE).stdout.decode().strip())
print("no new privileges:", _libc.prctl(39, 0, 0, 0, 0))
print("planted")
