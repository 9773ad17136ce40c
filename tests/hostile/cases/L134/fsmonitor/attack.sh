work
canary fsmonitor
set_config core.fsmonitor .git/canaries/fsmonitor
echo planted
