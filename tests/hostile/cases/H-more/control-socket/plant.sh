mkdir -p /paddock/control
python3 -c 'import socket
s = socket.socket(socket.AF_UNIX); s.bind("/paddock/control/launch.sock"); s.listen(1); p = s.accept()[0]
while not p.recv(65536).endswith(b"\xff\n"): pass
p.sendall(b"go\n")' & sleep 0.3
