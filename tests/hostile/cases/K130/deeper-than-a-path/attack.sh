work
python3 - <<'END'
import os
here = os.open(".", os.O_RDONLY)
for _ in range(600):
    os.mkdir("deepdeep", dir_fd=here)
    below = os.open("deepdeep", os.O_RDONLY, dir_fd=here)
    os.close(here)
    here = below
os.close(os.open("bottom", os.O_CREAT | os.O_WRONLY, dir_fd=here))
END
echo planted
