mkdir -p /paddock/control
