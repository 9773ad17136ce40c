daemon='
import os, time
for _ in range(40):
    for path in (os.environ["CANARY"], "/workspace/late.txt"):
        try:
            open(path, "a").write("daemon\n")
        except OSError:
            pass
    time.sleep(0.1)
'
for n in 1 2 3; do setsid nohup python3 -c "$daemon" >/dev/null 2>&1 </dev/null & done
sleep 0.5
echo planted
