mkdir -p .paddock
printf '[limits]\npids = 400\n' >.paddock/policy.toml
git add .paddock
git commit -qm "more processes, please"
python3 - <<'X'
import subprocess

started = []
try:
    for _ in range(120):
        started.append(subprocess.Popen(["sleep", "5"]))
except OSError:
    pass
print("processes:", "as many as it wants" if len(started) == 120 else "held", flush=True)
for process in started:
    process.kill()
X
git reset -q --hard HEAD~1
echo planted
