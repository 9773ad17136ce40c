mkdir -p /paddock/control
python3 -c 'import socket, time
a = socket.socket(socket.AF_UNIX); a.bind("/paddock/control/gateway.sock"); a.listen()
t = socket.create_server(("127.0.0.1", 53)); u = socket.socket(type=socket.SOCK_DGRAM); u.bind(("127.0.0.1", 53))
p = t.accept()[0]; p.sendall(b"x"); p.close(); u.sendto(b"x", u.recvfrom(10)[1]); time.sleep(30)' & sleep 0.3
