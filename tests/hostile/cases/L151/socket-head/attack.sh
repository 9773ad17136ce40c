work
rm .git/HEAD
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(".git/HEAD")'
echo planted
