work
python3 - "$START" <<'X'
import sys
with open(".git/packed-refs", "a") as refs:
    refs.writelines(f"{sys.argv[1]} refs/tags/t{number:06}\n" for number in range(300_000))
X
echo planted
