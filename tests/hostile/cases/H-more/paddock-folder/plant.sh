mkdir -p /paddock/control /paddock/inside
