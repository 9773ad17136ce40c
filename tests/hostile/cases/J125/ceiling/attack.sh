has() { if "$@" >/dev/null 2>&1; then echo yes; else echo no; fi; }
echo "variable: $(has test -n "${MORE:-}")"
echo "cache: $(has test -d /more)"
echo "mount: $(has test -d /host-share)"
echo "gateway: $(has test -S /paddock/control/gateway.sock)"
echo "root: $(has grep -q '^[^ ]* / [^ ]* rw[, ]' /proc/mounts)"
echo planted
