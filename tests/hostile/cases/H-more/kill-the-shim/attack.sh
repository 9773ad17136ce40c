echo saved >/workspace/saved.txt
victim=$PPID
if [ "$LEG" = control ]; then
    sleep 100 &
    victim=$!
fi
kill -9 "$victim"
sleep 0.5
kill -0 "$victim" 2>/dev/null || echo killed
