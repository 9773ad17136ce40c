echo "report.md" >.gitignore
echo "out/" >>.gitignore
git add .gitignore
work
mkfifo report.md
mkdir out
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("out/socket")'
mkfifo out/fifo
echo planted
