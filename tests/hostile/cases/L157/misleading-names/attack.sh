work
head=$(git rev-parse HEAD)
python3 - "$head" <<'X'
import os, sys
for name in ("main\u202e", "ma\u200bin", "main ", "a..b", "x.lock", ".hidden", "end.", "a:b", "main\n", "c\x9b2J"):
    with open(b".git/refs/heads/" + name.encode(), "w") as ref:
        ref.write(sys.argv[1] + "\n")
with open(b".git/refs/heads/\xff\xfe", "w") as ref:
    ref.write(sys.argv[1] + "\n")
X
echo planted
