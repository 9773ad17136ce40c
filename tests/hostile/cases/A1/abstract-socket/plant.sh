python3 -c 'import socket, time
s = socket.socket(socket.AF_UNIX); s.bind("\0planted"); s.listen(1); time.sleep(30)' & sleep 0.3
