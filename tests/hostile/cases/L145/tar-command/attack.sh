work
canary tar-command
set_config tar.x.command .git/canaries/tar-command
echo planted
