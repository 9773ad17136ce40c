python3 - <<'X'
import os
os.write(1, b"\x1b[2J\x1b]0;title\x07\x1b]52;c;cm0=\x07\x1b[?1049h\x1b[6n\x1bP+q544e\x1b\\\x9b31m\xc2\x9b31m\xff\xfe\x00\x08\x7f\r")
os.write(2, b"\x1b]8;;http://x.invalid/\x1b\\link\x1b]8;;\x1b\\ \xe2\x80\xaebidi\n")
X
echo
echo planted
